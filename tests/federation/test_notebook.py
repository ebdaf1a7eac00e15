"""The Python API, as a notebook uses it."""

import math

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from party.errors import (
    AlignmentError,
    ConfigurationError,
    ConnectionLostError,
    PolicyError,
    SessionError,
    StorageError,
)
from tests.support.hand_combined import common_ids, labels, metrics
from tests.support.oracle import philox_permutation
from tests.support.organisations import FEATURES, make_frames

TRAINING = {
    "epochs": 3,
    "batch_size": 32,
    "validation_fraction": 0.2,
    "optimizer": {"name": "adam", "learning_rate": 0.02},
}
METRICS = ["loss", "auc", "precision", "recall"]
FEDERATIONS = {
    "two parties": {name: FEATURES[name] for name in ("alice", "bob")},
    "label party without features": {"alice": FEATURES["alice"], "bob": []},
}
TOLERANCE = 2e-5


def read_probabilities(organisations, predictions, run_id):
    (name,) = predictions.files
    path = organisations.state_path(predictions.party) / "runs" / run_id / name
    return pd.read_csv(path, dtype={"ID": str}).set_index("ID")["probability"]


@pytest.mark.parametrize("federation", FEDERATIONS)
def test_a_notebook_trains_evaluates_and_predicts(make_organisations, federation):
    features = FEDERATIONS[federation]
    frames = make_frames(sorted(features), datasets=("train", "test"))
    organisations = make_organisations(names=sorted(features), features=features, frames=frames, training=TRAINING)
    organisations.start_servers()
    (organisations.runs_path).mkdir(mode=0o700)
    (organisations.runs_path / "notes.txt").write_text("kept")
    with connect(organisations.write_run()) as parties:
        parties.align()
        history = parties.fit()
        evaluated = parties.evaluate()
        on_test, on_train = parties.predict(), parties.predict("train")
    assert (organisations.runs_path / "notes.txt").read_text() == "kept"

    ids = common_ids(organisations, "train")
    held_out_rows = math.floor(TRAINING["validation_fraction"] * len(ids))
    training_rows = len(ids) - held_out_rows
    assert history.epoch == [0, 1, 2]
    assert history.params == {"epochs": 3, "steps": 3 * math.ceil(training_rows / 32)}
    assert list(history.history) == METRICS + [f"val_{name}" for name in METRICS]
    assert all(len(series) == 3 for series in history.history.values())
    assert history.history["loss"][-1] < history.history["loss"][0]

    test = read_probabilities(organisations, on_test, history.run_id)
    assert on_test.rows == len(test)
    assert test.index.tolist() == common_ids(organisations, "test")
    assert list(evaluated) == METRICS
    expected = metrics(test.to_numpy(), labels(organisations, "test"))
    assert evaluated == pytest.approx(expected, abs=TOLERANCE)

    train = read_probabilities(organisations, on_train, history.run_id)
    held_out = philox_permutation(organisations.row_key(), "hold out", 0, len(ids))[:held_out_rows]
    expected = metrics(train.to_numpy()[held_out], labels(organisations, "train")[held_out])
    received = {name: history.history[f"val_{name}"][-1] for name in METRICS}
    assert received == pytest.approx(expected, abs=TOLERANCE)


def test_one_federation_serves_several_runs(make_organisations):
    frames = make_frames(("alice", "bob"), rows=120, datasets=("train", "test"))
    organisations = make_organisations(frames=frames, training=TRAINING).start_servers()
    with connect(organisations.write_run()) as parties:
        with pytest.raises(AlignmentError, match="not aligned"):
            parties.fit()
        parties.align()
        first = parties.fit()
        before = parties.evaluate()
        second = parties.fit()
        after = parties.evaluate()
        assert first.run_id != second.run_id
        assert parties.evaluate(run_id=first.run_id[:10]) == before
        assert parties.evaluate(run_id=second.run_id) == after
        with pytest.raises(ConfigurationError, match="no finished run"):
            parties.evaluate(run_id="nothing")
        with pytest.raises(PolicyError, match=r"inference_datasets.*holidays"):
            parties.evaluate("holidays")
        parties.close()
    organisations.write_run({"epochs": 2})
    with connect(organisations.run_path) as parties:
        assert parties.evaluate(run_id=first.run_id) == before, "the run's own configuration counts"
        assert len(parties.fit().epoch) == 2


def test_connect_says_what_is_wrong(make_organisations):
    organisations = make_organisations()
    with pytest.raises(ConfigurationError, match="configuration file not found"):
        connect(str(organisations.folder / "absent.yaml"))
    path = organisations.write_run(ports={"alice": 1, "bob": 2}, connect_timeout_seconds=0.1)
    for _ in range(2):  # a failed attempt leaves nothing locked
        with pytest.raises(ConnectionLostError, match=r"party alice at 127\.0\.0\.1:1: cannot be reached"):
            connect(path)
    organisations.start_servers()
    with connect(organisations.write_run()), pytest.raises(SessionError, match="another coordinator works with"):
        connect(organisations.run_path)
    (organisations.runs_path).chmod(0o755)
    with pytest.raises(StorageError, match=r"open to others.*chmod 700"):
        connect(organisations.run_path)


def test_history_without_steps_is_empty(make_organisations):
    organisations = make_organisations(training={**TRAINING, "maximum_steps": 0}).start_servers()
    with connect(organisations.write_run()) as parties:
        parties.align()
        history = parties.fit()
    assert (history.history, history.epoch, history.params["steps"]) == ({}, [], 0)
    assert history.step_loss == []
    assert np.isfinite([history.samples_per_second, history.bytes_per_sample]).all()
