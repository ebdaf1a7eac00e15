"""What the coordinator learns of the data of real parties under each policy, and what it never does."""

import pytest

from coordinator import connect
from coordinator.alignment_table import alignment_lines
from coordinator.evaluation_result import evaluated as coordinator_evaluated
from party.budget_lines import budget_lines, read_budget
from party.check import print_check
from party.configuration.party import load_party_configuration
from party.pb import party_pb2 as pb
from tests.support.organisations import Organisations, make_frames
from tests.support.relaying import Relay

ROWS = 600
UNKNOWN = "Samarkand"
FEATURES = {
    "alice": [
        {"column": "city", "kind": "vocabulary"},
        {"column": "income", "kind": "numeric"},
        {"column": "price", "kind": "numeric", "malformed": "missing"},
    ],
    "bob": [{"column": "film", "kind": "vocabulary"}, {"column": "leak", "kind": "vocabulary"}],
}
UNKNOWN_WORDS = "  warning: 1 feature has many unknown cells; its owner sees more with `party check`"
DEAD_WORDS = "  warning: 1 feature has missing cells only; its owner sees more with `party check`"


def of_unknown(frame, share):
    """A frame in which a share of the cells of `city` is of a place that train does not have."""
    return frame.assign(city=frame["city"].mask(frame.reset_index().index < share * len(frame), UNKNOWN))


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """Two parties with a trained run: 25 % unknown cells in alice's test, a dead column, and a leak of bob's label."""
    frames = make_frames(("alice", "bob"), rows=ROWS, datasets=("train", "test"))
    for dataset in ("train", "test"):
        frames["alice"][dataset]["price"] = "1.234,50"
        frames["bob"][dataset]["leak"] = "after " + frames["bob"][dataset]["rating"]
    frames["alice"]["test"] = of_unknown(frames["alice"]["test"], 0.25)
    folder = tmp_path_factory.mktemp("quality")
    policies = {name: {"policy": {}} for name in ("alice", "bob")}
    training = {"maximum_steps": 2, "batch_size": 64}
    with Organisations(folder, features=FEATURES, frames=frames, overrides=policies, training=training) as made:
        made.start_servers()
        with connect(made.write_run()) as parties:
            parties.align()
            parties.fit()
        yield made


def set_policy(organisations, **policy):
    for name in organisations.names:
        organisations.write_party(name, policy=policy)
        organisations.servers[name].revise(load_party_configuration(organisations.party_path(name)))


class Finishes:
    """Keeps what every party replied to Finish."""

    def __init__(self):
        self.replies = {}

    def __call__(self, send, party, method, request):
        reply = send(request)
        if method == "Finish":
            self.replies[party] = reply
        return reply


def aligned(organisations):
    """The results of an alignment, and what each party released of its data."""
    finishes = Finishes()
    with Relay(organisations.write_run(), finishes) as parties:
        results = parties.align()
    return results, {name: list(reply.quality) for name, reply in finishes.replies.items()}


def evaluated(organisations):
    """The lines that an evaluation shows, and what each party released of its data."""
    finishes = Finishes()
    with Relay(organisations.write_run(), finishes) as parties:
        (result,) = coordinator_evaluated(lambda column: parties.evaluation("test", shuffled=column), [])
    return list(result.lines(None)), {name: list(reply.quality) for name, reply in finishes.replies.items()}


def released(one):
    """What is set in the message of one dataset, by its field."""
    warnings = {pb.DataWarning.Name(each.warning): each.features for each in one.warnings}
    fields = {field.name: value for field, value in one.ListFields() if field.name != "warnings"}
    return {**fields, "warnings": warnings}


def test_by_default_kinds_of_warnings_are_released_and_nothing_else(organisations):
    set_policy(organisations)
    results, quality = aligned(organisations)
    dead = {"DATA_WARNING_DEAD": 1}
    assert [released(one) for one in quality["alice"]] == [
        {"dataset": "test", "warnings": {**dead, "DATA_WARNING_UNKNOWN": 1}},
        {"dataset": "train", "warnings": dead},
    ]
    assert [released(one) for one in quality["bob"]] == [
        {"dataset": name, "warnings": {}} for name in ("test", "train")
    ]
    lines = [line.removeprefix("  ") for line in alignment_lines(results)]
    told = [line for line in lines if "data of" in line or "warning" in line]
    alice, fine = "data of alice", f"{'data of bob':<20} nothing amiss"
    assert told == [alice, DEAD_WORDS, UNKNOWN_WORDS, fine, alice, DEAD_WORDS, fine]


def test_an_evaluation_tells_the_same_of_its_dataset(organisations):
    set_policy(organisations)
    lines, quality = evaluated(organisations)
    assert [released(one)["dataset"] for one in quality["alice"]] == ["test"]
    assert UNKNOWN_WORDS in lines
    assert sum("data of" in line for line in lines) == 2


def test_shares_are_whole_percents_over_the_cells_of_all_features(organisations):
    set_policy(organisations, data_quality="shares")
    results, quality = aligned(organisations)
    frame = organisations.read_table("alice", "test")
    cells = 3 * len(frame)
    expected = {
        "dataset": "test",
        "missing_percent": round(100 * (len(frame) + (frame["city"] == "").sum()) / cells),
        "unknown_percent": round(100 * (frame["city"] == UNKNOWN).sum() / cells),
        "warnings": {"DATA_WARNING_DEAD": 1, "DATA_WARNING_UNKNOWN": 1},
    }
    assert released(quality["alice"][0]) == expected
    missing, unknown = expected["missing_percent"], expected["unknown_percent"]
    assert unknown == 8
    line = f"  data of alice        {missing} % of cells missing, {unknown} % of cells unknown"
    assert line in list(alignment_lines(results))


@pytest.mark.parametrize(
    "policy", [{"data_quality": "none"}, {"minimum_metric_rows": ROWS + 8}], ids=["none", "few rows"]
)
def test_where_nothing_may_be_released_nothing_is(organisations, policy):
    set_policy(organisations, **policy)
    results, quality = aligned(organisations)
    assert quality == {"alice": [], "bob": []}
    assert sum("nothing released" in line for line in alignment_lines(results)) == 4
    ended = organisations.servers["alice"]._ledger.entries[-1]
    assert ended.releases.get("data_quality", 0) == 0


def test_under_warnings_two_worlds_with_other_shares_names_and_values_look_the_same(organisations):
    """An attacker who drives runs sees the same bytes: they hold no share, no name and no value."""
    set_policy(organisations)
    frame = organisations.read_table("alice", "test")
    before = aligned(organisations)[1]
    organisations.write_frame("alice", "test", of_unknown(frame, 0.33).replace({UNKNOWN: "Bukhara"}))
    try:
        after = aligned(organisations)[1]
        set_policy(organisations, data_quality="shares")
        assert aligned(organisations)[1]["alice"] != after["alice"], "what is told where the owner allows more"
    finally:
        organisations.write_frame("alice", "test", frame)
    assert after == before


@pytest.mark.parametrize("level", ["warnings", "shares"])
def test_nothing_that_is_released_depends_on_a_label(organisations, level):
    """The leak of the label, and the share of labels, are for the owner alone."""
    set_policy(organisations, data_quality=level)
    frame = organisations.read_table("bob", "test")
    before = aligned(organisations)[1]
    organisations.write_frame("bob", "test", frame.assign(rating="5"))
    try:
        after = aligned(organisations)[1]
    finally:
        organisations.write_frame("bob", "test", frame)
    assert after == before


def test_the_owner_sees_names_and_shares(organisations, capsys):
    print_check(organisations.party_path("alice"))
    print_check(organisations.party_path("bob"))
    shown = capsys.readouterr().out
    frame = organisations.read_table("alice", "test")
    share = f"{100 * (frame['city'] == UNKNOWN).mean():.1f} %"
    assert f"warning: test: feature city: {share} of its cells hold values that train does not have" in shown
    assert "warning: column price: all " in shown
    assert "warning: train: feature leak tells label liked in every row" in shown
    assert UNKNOWN not in shown


def test_what_is_released_is_in_the_ledger_before_and_after(organisations):
    set_policy(organisations)
    aligned(organisations)
    for name in organisations.names:
        opened, agreed, ended = organisations.servers[name]._ledger.entries[-3:]
        assert [one.event for one in (opened, agreed, ended)] == ["opened", "agreed", "ended"]
        assert agreed.releases["data_quality"] == ended.releases["data_quality"] == 2
        audiences = [charge.audience for charge in agreed.charges]
        assert audiences == ([("coordinator",)] if name == "alice" else [])
    told = [
        line for line in budget_lines(read_budget(organisations.party_path("alice"))) if "counts of cells of" in line
    ]
    assert len(told) == 1
    assert told[0].startswith("  released exactly: counts of cells of datasets to coordinator, ")
