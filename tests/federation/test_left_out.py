"""Evaluations and predictions without some feature parties, one of which is really down; and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from party.errors import ConfigurationError, ConnectionLostError, HandshakeError, SessionError
from party.ledger.file import read_ledger
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.own_figures import EVALUATIONS_FILE
from party.runtime.records import RunRecords
from tests.support.organisations import EXACT_METRICS, Organisations, make_frames
from tests.support.relaying import Relay

NAMES = ("alice", "bob", "charlie")
SUBSETS = [("bob",), ("alice", "bob"), ("bob", "charlie"), NAMES]
POLICY = {"minimum_metric_rows": 1, **EXACT_METRICS, "maximum_evaluations": 100}
TRAINING = {
    "epochs": 4,
    "batch_size": 64,
    "optimizer": {"name": "adam", "learning_rate": 0.02},
    "validation_fraction": 0.0,
}
NEVER_SAW = "bob: run [0-9a-f]{8}: the run never saw a row without"


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """Three parties with a run that learned to do without each; then alice is killed."""
    frames = make_frames(NAMES, datasets=("train", "test"))
    folder = tmp_path_factory.mktemp("left-out")
    with Organisations(folder, NAMES, frames=frames, training=TRAINING, overrides={"bob": {"policy": POLICY}}) as made:
        made.start("alice")
        made.start_server("bob")
        made.start_server("charlie")
        with connect(made.write_run({"party_dropout": {"alice": 0.3, "charlie": 0.3}})) as parties:
            parties.align()
            made.run_id = parties.fit().run_id
            parties.predict(without=["charlie"])
            made.kept = checkpoints(made)
            made.predicted = parties.predict()
            *made.partial, made.contributions = parties.each_contribution()
            made.evaluated = parties.evaluate()
        made.kill("alice")
        yield made


@pytest.fixture
def present(organisations):
    """The federation of those that are left."""
    with connect(organisations.run_path, without=["alice"]) as parties:
        yield parties


def run_folder(organisations):
    return organisations.state_path("bob") / "runs" / organisations.run_id


def checkpoints(organisations):
    return CheckpointFiles(run_folder(organisations), "bob").prepared()


def truth_of(organisations, predictions):
    """Label and probability of each predicted row."""
    table = organisations.read_table("bob", "test").set_index("ID")
    return (table.loc[predictions["ID"], "rating"].astype(float) > 3).to_numpy(), predictions["probability"].to_numpy()


def figures_of(truth, probabilities):
    """Loss and AUC, from their definitions."""
    chosen = np.where(truth, probabilities, 1 - probabilities)
    positive, negative = probabilities[truth][:, None], probabilities[~truth][None, :]
    return {"loss": -np.log(chosen).mean(), "auc": ((positive > negative) + 0.5 * (positive == negative)).mean()}


def sessions(organisations, name, event="agreed"):
    return [line for line in read_ledger(organisations.state_path(name)) if line.event == event]


def test_contributions_are_the_evaluations_of_all_subsets(organisations):
    found = organisations.contributions
    assert (found.run_id, found.dataset) == (organisations.run_id, "test")
    assert [one.evaluations for one in organisations.partial] == [
        found.evaluations[:count] for count in range(1, len(SUBSETS))
    ]
    assert [one.parties for one in found.evaluations] == SUBSETS
    assert [one.without for one in found.evaluations] == [("alice", "charlie"), ("charlie",), ("alice",), ()]
    everybody = found.evaluations[-1]
    assert everybody.metrics == organisations.evaluated
    assert {one.rows for one in found.evaluations} == {organisations.predicted.rows}
    assert len({one.metrics["loss"] for one in found.evaluations}) == len(SUBSETS)
    assert everybody.metrics["auc"] > found.evaluations[0].metrics["auc"] > 0.5


def test_bytes_are_those_of_the_parties_that_send(organisations):
    alone, alice, charlie, everybody = (one.message_bytes for one in organisations.contributions.evaluations)
    assert alone == 0 < min(alice, charlie)
    assert everybody == alice + charlie
    for one in organisations.contributions.evaluations:
        assert one.bytes_per_sample == one.message_bytes / one.rows


def test_ledgers_name_who_was_left_out(organisations):
    mine = [line for line in sessions(organisations, "bob") if line.purpose == "evaluate"][:4]
    assert [(line.peers, line.without) for line in mine] == [
        ((), ("alice", "charlie")),
        (("alice",), ("charlie",)),
        (("charlie",), ("alice",)),
        (("alice", "charlie"), ()),
    ]
    theirs = [line for line in sessions(organisations, "alice") if line.purpose == "evaluate"]
    assert [(line.peers, line.without) for line in theirs[:2]] == [(("bob",), ("charlie",)), (("bob", "charlie"), ())]
    assert [line.charges for line in theirs] == [theirs[0].charges] * 3
    own = [json.loads(line) for line in (run_folder(organisations) / EVALUATIONS_FILE).read_text().splitlines()]
    assert [line.get("without", []) for line in own[:4]] == [["alice", "charlie"], ["charlie"], ["alice"], []]


def test_evaluation_and_prediction_without_a_party_that_is_down(organisations, present):
    before = (run_folder(organisations) / "predictions-test.csv").read_bytes()
    evaluated = present.evaluate(without=["alice"])
    assert evaluated == organisations.contributions.evaluations[2].metrics
    written = present.predict(without=["alice"])
    assert written.files == ("predictions-test.without.alice.csv",)
    predictions = pd.read_csv(run_folder(organisations) / written.files[0])
    assert len(predictions) == written.rows == organisations.predicted.rows
    for name, value in figures_of(*truth_of(organisations, predictions)).items():
        assert value == pytest.approx(evaluated[name], rel=1e-5), name
    assert (run_folder(organisations) / "predictions-test.csv").read_bytes() == before


def test_a_federation_that_lost_a_party_goes_on_without_her(organisations):
    with pytest.raises(ConnectionLostError, match="alice"):
        connect(organisations.write_run(connect_timeout_seconds=0.2))
    with connect(organisations.write_run(), without=["alice", "charlie"]) as parties:
        assert parties.predict(without=["charlie", "alice"]).files == ("predictions-test.without.alice.charlie.csv",)


@pytest.mark.parametrize("call", ["align", "fit", "plan", "evaluate", "predict", "contributions"])
def test_what_needs_everybody_says_who_is_away(present, call):
    runs = present._journal.runs()
    with pytest.raises(SessionError, match="connected without alice; leave out the same parties, or connect again"):
        getattr(present, call)()
    assert present._journal.runs() == runs


@pytest.mark.parametrize(("name", "text"), [("bob", "bob is the label party"), ("zoe", "not a feature party")])
def test_only_feature_parties_can_be_left_out(organisations, present, name, text):
    with pytest.raises(ConfigurationError, match=text):
        present.evaluate(without=["alice", name])
    with pytest.raises(ConfigurationError, match=text):
        connect(organisations.run_path, without=[name])


@pytest.fixture
def never_without(organisations):
    """The record of a run that had the hiddens of every party in every row."""
    records = RunRecords(organisations.state_path("bob") / "runs", "bob")
    record = records.find(bytes.fromhex(organisations.run_id))
    assert record.absent_trained == ("alice", "charlie")
    records.save(record.model_copy(update={"absent_trained": ()}))
    yield
    records.save(record)


@pytest.mark.usefixtures("never_without")
def test_a_run_that_saw_every_party_in_every_row_is_not_used_without(organisations):
    counted = len(sessions(organisations, "bob"))
    with connect(organisations.run_path, without=["alice"]) as parties:
        for call in (parties.evaluate, parties.predict):
            with pytest.raises(SessionError, match=f"{NEVER_SAW} alice, charlie, .*training.party_dropout.*left join"):
                call(without=["alice", "charlie"])
    refused = organisations.coordinator("evaluate", "--without", "alice")
    assert refused.returncode == SessionError.exit_code
    assert "the run never saw a row without alice" in refused.stderr
    assert len(sessions(organisations, "bob")) == counted


def test_checkpoints_stay_while_a_party_is_away_and_go_when_all_are_there(organisations):
    assert len(organisations.kept) > 0
    assert checkpoints(organisations) == []


def test_parties_cannot_be_told_different_sets(organisations):
    def around(send, party, method, request):
        if (method, party) == ("Open", "charlie"):
            del request.without[:]
        return send(request)

    expected = pytest.raises(HandshakeError, match="parties or roles differ")
    with Relay(organisations.run_path, around, without=["alice"]) as relay, expected:
        relay.evaluate(without=["alice"])


def test_the_command_line_does_without_her(organisations):
    evaluated = organisations.coordinator("evaluate", "--without", "alice", "--run", organisations.run_id)
    assert evaluated.returncode == 0, evaluated.stderr
    assert f"auc        {organisations.contributions.evaluations[2].metrics['auc']:.6g}" in evaluated.stdout
