"""`data.negatives` at the label party, and what does not fit together."""

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from tests.support.configuration_cases import change, feature_party, label_party, refusal

NEGATIVES = {"per_positive": 4, "user": "UserID", "item": ["MovieID"], "columns": ["Title"]}
BINARY = {"liked": {"rule": "Rating > 3"}}


def check(content):
    return validate(PartyConfiguration, content, "bank.yaml")


def drawing(key=(), **changes):
    """A label party that draws negatives, and joins the one peer that it has."""
    content = label_party()
    content["fuse"] = {"kind": "dnn"}
    content["data"] |= {
        "labels": {name: {**label} for name, label in BINARY.items()},
        "joins": [{"peer": "shop", "key": key or "UserID", "table": "users"}],
        "negatives": {**NEGATIVES, **changes},
    }
    content["policy"]["reveal_row_counts"] = ["shop"]
    return content


def test_defaults_draw_by_popularity_for_all_datasets_with_labels():
    made = check(drawing())
    assert made.data.negatives.draw == "popularity"
    assert {"UserID", "MovieID", "Title"} <= set(made.columns("train"))
    unlabelled = made.data.unlabelled[0]
    assert [made.negatives(name) is not None for name in ("train", unlabelled)] == [True, False]
    assert "MovieID" not in made.columns(unlabelled)
    content = drawing(datasets=["test"])
    content["data"]["unlabelled"] = []
    assert check(content).negatives("train") is None
    assert check(label_party()).negatives("train") is None


REFUSED = {
    "a column twice": ({"columns": ["UserID"]}, "names column UserID twice among user, item and columns"),
    "no dataset": ({"datasets": ["other"]}, "data.negatives names other, which is no dataset with labels"),
    "a label's column": ({"columns": ["Rating"]}, "names column Rating, which is that of label liked"),
    "the id": ({"columns": ["id"]}, "column id is that of data.id, and cannot be an item's"),
    "weights": ({"item": "w"}, "column w is that of data.sample_weight, and cannot be an item's"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_columns_and_datasets_that_do_not_fit_are_refused(case):
    changes, said = REFUSED[case]
    content = drawing(**changes)
    content["data"]["id"] = "id"
    assert said in refusal(check, content)


def test_a_key_moves_as_a_whole_or_stays():
    said = "the key of the join with shop is partly the item's; name all or none of UserID, MovieID"
    assert said in refusal(check, drawing(key=["UserID", "MovieID"]))
    check(drawing(key=["MovieID", "Title"]))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("data.joins", None, "data.negatives needs data.joins: a drawn row is in no partner's file"),
        (
            "data.labels.hours",
            {"kind": "regression", "column": "hours"},
            "needs labels with two classes, and label hours is regression",
        ),
        ("data.labels.liked.privacy", {"epsilon": 1.0}, "label liked has privacy, whose epsilon is for each row"),
        ("audit", {"record": True}, "audit.record and data.negatives: an audit reads the files"),
    ],
)
def test_what_else_does_not_fit_is_refused(path, value, said):
    content = change(drawing(), path, value)
    content["policy"]["reveal_row_counts"] = ["shop"] if "joins" in content["data"] else []
    content["data"]["sample_weight"] = None
    assert said in refusal(check, content)


def test_it_belongs_to_the_label_party():
    content = feature_party()
    content["data"]["negatives"] = NEGATIVES
    assert "data.negatives belongs to the label party only" in refusal(check, content)
