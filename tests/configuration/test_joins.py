"""`data.joins` at the label party, `data.tables` at a feature party, and what does not fit together."""

import copy

import pytest

from party.configuration.joins import KeyRule
from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.errors import PolicyError
from party.pb.handshake_pb2 import Purpose
from party.policy.rules import Policy
from tests.support.configuration_cases import change, feature_party, label_party, refusal

JOIN = {"peer": "shop", "key": "UserID", "table": "users"}
LEARNS = "policy.reveal_row_counts must name shop: by its join in data.joins, shop learns how many rows each of its"


def check(content):
    return validate(PartyConfiguration, content, "bank.yaml")


def joining(**changes):
    """A label party that joins the one peer that it has."""
    content = label_party()
    del content["data"]["id"]
    content["data"]["joins"] = [{**JOIN, **changes}]
    content["policy"]["reveal_row_counts"] = ["shop"]
    return content


def owning():
    """A feature party with tables."""
    content = feature_party()
    del content["data"]["datasets"]
    content["data"] |= {"tables": {"users": "users.csv"}, "id": "UserID"}
    return content


def changed(content, changes):
    content = copy.deepcopy(content)
    for path, value in changes.items():
        change(content, path, value)
    return content


def test_a_join_names_one_column_or_several():
    one = check(joining()).data
    assert (one.id, one.id_columns, one.id_rule) == (None, (), None)
    assert one.joins[0].kind == "inner"
    assert one.key_rules == {"shop": KeyRule(("UserID",))}
    several = check(joining(key=["Shop", "User"], kind="left", transforms=["strip", "sha256"], transformed=True)).data
    assert several.joins[0].kind == "left"
    assert several.key_rules == {"shop": KeyRule(("Shop", "User"), ("strip", "sha256"), transformed=True)}
    assert several.files == several.datasets == {"train": "train.csv", "test": "test.csv"}


def test_a_table_has_a_key_of_one_column_or_several():
    one = check(owning())
    assert one.data.files == one.data.tables == {"users": "users.csv"}
    assert one.data.id_rule == KeyRule(("UserID",))
    several = check(changed(owning(), {"data.id": ["Shop", "User"], "data.transforms": ["lower"]}))
    assert several.data.id_rule == KeyRule(("Shop", "User"), ("lower",))
    assert several.data.id_name == "Shop, User"


def test_an_id_beside_joins_names_the_rows():
    data = check(changed(joining(), {"data.id": "ID"})).data
    assert data.id_rule == KeyRule(("ID",))
    assert set(data.key_rules) == {"shop"}


def test_a_key_may_be_a_feature_of_the_label_party():
    assert check(joining(key="a")).data.key_rules == {"shop": KeyRule(("a",))}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.joins.0.peer": "other"}, "data.joins names other, which is not in peers"),
        ({"data.joins": [JOIN, {**JOIN, "table": "more"}]}, "data.joins names shop twice"),
        ({"policy.reveal_row_counts": None}, f"{LEARNS} entities in common has here"),
        (
            {"policy.reveal_row_counts": ["shop", "other"]},
            "policy.reveal_row_counts names other, which is not in peers",
        ),
        ({"data.joins.0.key": []}, "key data.joins.0.key: "),
        ({"data.joins.0.key": 3}, "key data.joins.0.key: must be the name of a column, or a list of them"),
        ({"data.joins.0.key": ["a", "a"]}, "key data.joins.0.key: names a column twice"),
        ({"data.joins.0.key": ["a", ""]}, "key data.joins.0.key.1: "),
        ({"data.joins.0.key": [f"c{number}" for number in range(9)]}, "key data.joins.0.key: "),
        ({"data.joins.0.key": "Rating"}, "the label's column cannot be the key of a join"),
        ({"data.joins.0.table": "no name"}, "key data.joins.0.table: "),
        ({"data.joins.0.kind": "outer"}, "key data.joins.0.kind: "),
        ({"data.joins.0.transforms": ["md5"]}, "key data.joins.0.transforms.0: "),
        (
            {"data.joins.0.transformed": True},
            "key data.joins.0: transformed: the columns hold the results of transforms",
        ),
        ({"data.joins.0.colum": "a"}, "unknown key data.joins.0.colum"),
        ({"data.joins.0.table": None}, "key data.joins.0.table is missing"),
        ({"data.id": ["ID", "other"]}, "id: several columns are for the key of tables, or for data.joins"),
        (
            {"data.transforms": ["strip"]},
            "transforms and transformed belong to tables; at the label party each join has",
        ),
        (
            {"data.tables": {"users": "u.csv"}},
            "needs datasets, or tables at a feature party that is joined by them, not",
        ),
        ({"data.datasets": None}, "needs datasets, or tables at a feature party that is joined by them, and neither"),
        (
            {"data.datasets": None, "data.unlabelled": None, "data.tables": {"users": "u.csv"}},
            "joins belong to the label party, and tables to a feature party",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused_in_one_line(changes, message):
    assert message in refusal(check, changed(joining(), changes))


def test_what_a_left_join_tells_more_is_said():
    content = changed(joining(kind="left"), {"policy.reveal_row_counts": []})
    expected = f"{LEARNS} entities in common has here, and how many rows have no partner"
    assert refusal(check, content).endswith(expected)


def test_private_labels_need_ids_beside_joins():
    labels = {"liked": {"rule": "Rating > 3", "privacy": {"epsilon": 1.0}}}
    changes = {"data.labels": labels, "data.sample_weight": None, "fuse": None, "data.unlabelled": None}
    content = changed(joining(), changes)
    assert "private labels need id beside joins: labels are drawn once for each id" in refusal(check, content)
    assert check(changed(content, {"data.id": "ID"})).data.label_epsilon == 1.0


def test_every_peer_that_a_run_may_have_is_joined():
    content = joining()
    content["peers"].append({"name": "third", "ca": "third.pem"})
    assert check(content).policy.peer_sets == (("shop",),)
    message = refusal(check, changed(content, {"policy.peer_sets": None}))
    assert "data.joins has no join for third: with joins every feature party of a run has one" in message
    content["data"]["joins"].append({**JOIN, "peer": "third", "table": "films"})
    content["policy"] |= {"reveal_row_counts": ["shop", "third"], "peer_sets": None}
    assert set(check(content).data.key_rules) == {"shop", "third"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.id": None}, "key data: id is missing"),
        ({"data.id": ["a"]}, "the id column cannot be a feature"),
        ({"data.id": ["UserID", "a"]}, "the id column cannot be a feature"),
        ({"data.transformed": True}, "key data: transformed: the columns hold the results of transforms, and none is"),
        ({"data.joins": [JOIN]}, "joins belong to the label party, and tables to a feature party"),
        (
            {"policy.reveal_row_counts": ["bank"]},
            "data.joins and policy.reveal_row_counts belong to the label party only",
        ),
        ({"data.tables": {"no name": "x.csv"}}, "key data.tables"),
        ({"data.unlabelled": ["test"]}, "unlabelled names test, which is not in datasets"),
        ({"meters": {"columns": ["UserID"]}}, "meters.columns names the id column"),
    ],
)
def test_what_cannot_be_a_table_is_refused_in_one_line(changes, message):
    assert message in refusal(check, changed(owning(), changes))


def test_joins_at_a_feature_party_are_refused():
    content = feature_party()
    content["data"]["joins"] = [{**JOIN, "peer": "bank"}]
    assert "data.joins and policy.reveal_row_counts belong to the label party only" in refusal(check, content)


def test_tables_at_the_label_party_are_refused():
    content = label_party()
    del content["data"]["datasets"], content["data"]["unlabelled"]
    content["data"]["tables"] = {"train": "train.csv"}
    assert "data.tables belongs to a feature party" in refusal(check, content)


def test_the_owner_of_tables_names_datasets_of_the_label_party():
    """It has no list to hold them against."""
    listed = {
        "policy.inference_datasets": ["may"],
        "policy.training_datasets": ["april"],
        "coordinators.0.datasets": ["april", "may"],
    }
    rules = Policy(check(changed(owning(), listed)))
    rules.check_training_dataset("april", "driver")
    rules.check_inference(Purpose.PURPOSE_EVALUATE, "may", "driver")
    for refused in (
        lambda: rules.check_training_dataset("may", "driver"),
        lambda: rules.check_inference(Purpose.PURPOSE_EVALUATE, "april", "driver"),
    ):
        with pytest.raises(PolicyError, match="refused by policy"):
            refused()
    every = Policy(check(changed(owning(), {"policy.inference_datasets": None})))
    every.check_inference(Purpose.PURPOSE_EVALUATE, "april", "driver")
