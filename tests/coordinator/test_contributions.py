"""Contributions of parties: which evaluations they take, and how they are shown."""

import json
import math
from dataclasses import replace

import pytest

from coordinator.command_line import print_latest
from coordinator.contributions import (
    MAXIMUM_FEATURE_PARTIES,
    Contribution,
    Contributions,
    announcement,
    left_out_sets,
)
from coordinator.left_out import checked_left_out
from party.configuration.run import RunConfiguration, TrainingSection
from party.errors import ConfigurationError, PolicyError
from party.output.json_document import json_document

PEERS = ("alice", "charlie", "dora", "erin", "fred", "gina", "hugo")


def run_with(*peers, **training):
    return RunConfiguration(
        parties=tuple(sorted((*peers, "bob"))), label_party="bob", training=TrainingSection(**training)
    )


def one(*parties, **metrics):
    return Contribution(
        parties=parties, without=(), metrics=metrics, rows=1234, message_bytes=98720, bytes_per_sample=80.0
    )


@pytest.mark.parametrize("count", range(1, MAXIMUM_FEATURE_PARTIES + 1))
def test_every_subset_is_evaluated_once_from_the_label_party_alone_to_all(count):
    names = PEERS[:count]
    found = left_out_sets(run_with(*names))
    assert len(found) == len(set(found)) == 2**count
    assert all(set(left_out) <= set(names) and list(left_out) == sorted(set(left_out)) for left_out in found)
    assert (found[0], found[-1]) == (names, ())
    assert [len(left_out) for left_out in found] == sorted(map(len, found), reverse=True)


def test_what_the_evaluations_use_of_the_limits_is_said_before():
    text = announcement(run_with("alice", "charlie"), "test")
    assert text == (
        "4 evaluations of dataset test, which use 4 of policy.maximum_evaluations at bob and 2 at each feature party"
    )


def test_too_many_parties_and_masked_sums_are_refused():
    with pytest.raises(ConfigurationError, match=r"7 feature parties have 128 subsets.*expected at most 6.*--without"):
        left_out_sets(run_with(*PEERS))
    with pytest.raises(ConfigurationError, match="secure_aggregation no party can be left out: the difference"):
        left_out_sets(run_with("alice", "charlie", secure_aggregation=True))


def test_parties_to_leave_out_are_named_once_and_in_order():
    run = run_with("alice", "charlie")
    assert checked_left_out(run, ["charlie", "alice", "charlie"]) == ("alice", "charlie")
    assert checked_left_out(run, ()) == ()


@pytest.mark.parametrize(
    ("names", "training", "text"),
    [
        (["bob", "alice"], {}, "bob is the label party: no session can do without it; expected among alice, charlie"),
        (["alice", "zoe"], {}, "not a feature party of the run; expected among alice, charlie; received zoe"),
        (["alice"], {"secure_aggregation": True}, "the difference between the sum of all and the sum of the others"),
    ],
)
def test_parties_that_cannot_be_left_out_are_refused(names, training, text):
    with pytest.raises(ConfigurationError) as caught:
        checked_left_out(run_with("alice", "charlie", **training), names)
    assert text in str(caught.value)


def test_the_table_has_every_metric_in_columns():
    found = Contributions(
        run_id="ab", dataset="test", evaluations=(one("bob", loss=0.75), one("alice", "bob", loss=0.5, auc=math.nan))
    )
    assert list(found.lines(None)) == [
        "parties     loss        auc   rows  bytes/sample",
        "bob         0.75          -  1,234          80.0",
        "alice, bob   0.5  undefined  1,234          80.0",
    ]


def test_evaluations_before_a_failure_are_shown():
    def failing():
        yield Contributions(run_id="ab", dataset="test", evaluations=(one("bob", loss=0.75),))
        raise PolicyError("refused by policy.maximum_evaluations: evaluations of dataset test")

    lines = []
    with pytest.raises(PolicyError):
        print_latest(failing(), lambda found: lines.extend(found.lines(None)))
    assert lines == ["parties  loss   rows  bytes/sample", "bob      0.75  1,234          80.0"]


def test_a_withheld_metric_is_named_once_with_its_reason():
    reason = "too coarse over 9 rows"
    told = [replace(one(name, loss=0.75), withheld={"auc": reason}) for name in ("alice", "bob")]
    header, *rows, note = Contributions(run_id="ab", dataset="test", evaluations=tuple(told)).lines(None)
    assert header.split() == ["parties", "loss", "auc", "rows", "bytes/sample"]
    assert [row.split()[1:3] for row in rows] == [["0.75", "withheld"]] * 2
    assert note.startswith(f"withheld: auc: {reason}")


def test_programs_get_the_same_as_json():
    found = Contributions(run_id="ab", dataset="test", evaluations=(one("bob", loss=0.75, auc=math.nan),))
    assert json.loads(json_document("coordinator contributions", found)) == {
        "command": "coordinator contributions",
        "run_id": "ab",
        "dataset": "test",
        "evaluations": [
            {
                "parties": ["bob"],
                "without": [],
                "metrics": {"loss": 0.75, "auc": None},
                "rows": 1234,
                "message_bytes": 98720,
                "bytes_per_sample": 80.0,
                "withheld": {},
                "negatives_per_positive": 0,
            }
        ],
    }
