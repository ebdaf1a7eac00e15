"""Evaluations with one column shuffled: what its owner allows, who is told what, and what the figures say."""

import json

import pytest

from coordinator import connect
from party.errors import HandshakeError, PolicyError, SessionError
from party.protocol.shuffled_column import ShuffledColumn
from tests.support.commands import run_party
from tests.support.organisations import Organisations
from tests.support.relaying import Relay

RULE = "policy.shuffled_columns"
ALLOWED = {"minimum_metric_rows": 1, "exact_metrics": True, "maximum_evaluations": 100, "shuffled_columns": True}
TRAINING = {"epochs": 8, "optimizer": {"learning_rate": 0.05}}
DNN = {"kind": "dnn", "units": [6]}
OVERRIDES = {
    "alice": {"model": DNN, "policy": ALLOWED},
    "bob": {"model": DNN, "fuse": {"kind": "dnn", "units": []}, "policy": {**ALLOWED, "shuffled_columns": False}},
}


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """Bob's label goes with the city at alice and the film at bob, and with no other column."""
    folder = tmp_path_factory.mktemp("shuffled")
    with Organisations(folder, training=TRAINING, overrides=OVERRIDES) as made:
        made.start_servers()
        with connect(made.write_run(evaluate_dataset="train")) as parties:
            parties.align()
            made.run_id = parties.fit().run_id
        yield made


def evaluations(organisations):
    path = organisations.state_path("bob") / "runs" / organisations.run_id / "evaluations.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_column_that_brings_something_is_told_from_one_that_brings_nothing(organisations, caplog):
    caplog.set_level("INFO", logger="party")
    with connect(organisations.run_path) as parties:
        before, city, income = (parties.evaluate(shuffled=one) for one in (None, *columns("alice", 1, 2)))
        assert parties.evaluate() == before
    assert city["auc"] < before["auc"] - 0.05
    assert abs(income["auc"] - before["auc"]) < 0.03
    assert income["loss"] != before["loss"], "it was not shuffled"
    shuffled = [one.get("shuffled") for one in evaluations(organisations)[-4:]]
    assert shuffled == [None, {"party": "alice", "number": 1}, {"party": "alice", "number": 2}, None]
    told = [one.message for one in caplog.records if one.message.endswith("shuffled")]
    assert [one.partition(": ")[2] for one in told] == [
        f"evaluates with column {one} shuffled" for one in ("city", "income")
    ]


def columns(party, *numbers):
    return [ShuffledColumn(party, number) for number in numbers]


def test_the_command_prints_a_table_and_the_owner_the_numbers(organisations):
    done = organisations.coordinator("evaluate", "--shuffle", "alice:1-2")
    assert (done.returncode, done.stderr) == (0, "")
    firsts = [line.split("  ")[0].strip() for line in done.stdout.splitlines()]
    rows = ["shuffled", "nothing", "column 1 of alice", "column 2 of alice"]
    assert [one for one in firsts if one in rows] == rows
    checked = run_party("check", "--config", organisations.party_path("alice")).stdout
    assert "columns by number: 1 city, 2 income\n" in checked


REFUSED = {
    "not allowed": (columns("bob", 1)[0], PolicyError, rf"bob: refused by {RULE}: the evaluation"),
    "no such column": (columns("alice", 3)[0], SessionError, "alice: there is no such column.*from 1 to 2; received 3"),
    "no number": (columns("alice", 0)[0], SessionError, "alice: there is no such column"),
    "no such party": (columns("dora", 1)[0], SessionError, "of no party of the session; expected alice or bob"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_owner_offers_is_refused(organisations, case):
    column, error, said = REFUSED[case]
    with connect(organisations.run_path) as parties, pytest.raises(error, match=said):
        parties.evaluate(shuffled=column)


def test_a_prediction_shuffles_nothing(organisations):
    def around(send, party, method, request):
        if method == "Open":
            request.shuffled_party, request.shuffled_column = "alice", 1
        return send(request)

    refused = pytest.raises(SessionError, match="only an evaluation shuffles a column")
    with Relay(organisations.run_path, around) as parties, refused:
        parties.predict()


def test_a_peer_is_not_told_another_column_than_the_owner(organisations):
    """The label party would keep the figure of a shuffled column as that of the model."""

    def around(send, party, method, request):
        if method == "Open" and party == "alice":
            request.shuffled_party, request.shuffled_column = "alice", 1
        return send(request)

    with (
        Relay(organisations.run_path, around) as parties,
        pytest.raises(HandshakeError, match="shuffled_party differs"),
    ):
        parties.evaluate()
