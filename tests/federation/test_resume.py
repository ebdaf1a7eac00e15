"""A run that stops at any step goes on to the bits of a run that was never stopped."""

import json
import threading

import numpy as np
import pytest
from organisations import SMALL_FUSE, SMALL_MODEL
from relaying import Relay
from test_model_family import CITY, FILM, PARTIES, SEQUENCE, frames, overrides

from coordinator import connect
from coordinator.configuration import load_coordinator_configuration
from party.errors import CheckpointError, ConfigurationError, PolicyError, SessionError, StoppedError

EARLY = {"metric": "val_auc", "mode": "max", "patience": 1}
SCHEDULE = {"name": "ExponentialDecay", "arguments": {"initial_learning_rate": 0.02, "decay_steps": 3, "decay_rate": 0.9}}
TRAINING = {"epochs": 3, "validation_fraction": 0.2, "batch_size": 64}
EVERY_STEP = {"every_steps": 1}
NEVER = {"every_seconds": 1e6}
DROPOUT = {
    "alice": {"model": {"file": "normalised.py", "base": "build_base"}},
    "bob": {"model": {"kind": "dnn", "units": [5], "dropout": 0.2}, "fuse": {"kind": "dnn", "units": [6], "dropout": 0.3}},
}
NORMALISED = """
import keras


def build_base(features):
    inputs = {one.name: keras.Input((one.width,), dtype="int32" if one.size > 1 else "float32", name=one.name)
              for one in features.values()}
    tables = [keras.layers.Embedding(one.size, 4)(inputs[one.name]) for one in features.values() if one.size > 1]
    flat = keras.layers.Flatten()(tables[0])
    numbers = [inputs[one.name] for one in features.values() if one.size == 1]
    joined = keras.layers.BatchNormalization()(keras.layers.Concatenate()([flat, *numbers]))
    hidden = keras.layers.Dropout(0.3)(keras.layers.Dense(6, activation="relu")(joined))
    return keras.Model(inputs, {"deep": hidden}), {"deep": "concat"}
"""
CASES = {
    "adam, dropout, batch normalisation": (DROPOUT, {}),
    "momentum, schedule, early stopping": (
        {},
        {
            "early_stopping": EARLY,
            "epochs": 5,
            "optimizer": {"name": "sgd", "learning_rate": SCHEDULE, "arguments": {"momentum": 0.9}},
        },
    ),
    "transformer, experts, learned task weights": (
        overrides(
            fuse={
                "kind": "mmoe",
                "experts": 2,
                "expert_units": [5],
                "tower_units": [3],
                "task_weighting": "uncertainty",
            }
        ),
        {"optimizer": {"name": "adagrad", "learning_rate": 0.1}},
    ),
}


def make(make_organisations, case):
    settings, training = CASES[case]
    arguments = {"training": {**TRAINING, **training}}
    if "experts" in case:
        arguments |= {"names": PARTIES, "features": {"alice": [CITY], "bob": [FILM, SEQUENCE]}, "frames": frames()}
    organisations = make_organisations(**arguments)
    (organisations.folder / "normalised.py").write_text(NORMALISED)
    for name in organisations.names:
        organisations.write_party(name, **settings.get(name, {}))
    return organisations.start_servers()


def run_path(organisations, **changes):
    settings = {"checkpoints": NEVER, "alignment": {"datasets": ["train"]}, "evaluate_dataset": "train"}
    return organisations.write_run(**{**settings, **changes})


def outcome(organisations, history):
    """Everything that two runs may be compared by."""
    weights = {name: organisations.weights(name, history.run_id) for name in organisations.names}
    with connect(run_path(organisations)) as parties:
        predicted = parties.predict(run_id=history.run_id)
    folder = organisations.folder / "state" / predicted.party / "runs" / history.run_id
    predictions = (folder / predicted.files[0]).read_bytes()
    return weights, history.history, history.step_loss, history.epoch, history.best_epoch, predictions


def expect_equal(one, other):
    (weights, *rest), (other_weights, *other_rest) = one, other
    for name, arrays in weights.items():
        assert set(arrays) == set(other_weights[name])
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, other_weights[name][key], err_msg=f"{name}: {key}", strict=True)
    assert rest == other_rest


class StopAfter:
    """Lets a run end in order before the batch at a position goes on."""

    def __init__(self, position):
        self.position = position
        self.relay = None

    def __call__(self, send, party, method, request):
        if method == "Fuse" and request.position == self.position:
            self.relay.stop()
        return send(request)


def stop_at(organisations, position, resume=None):
    around = StopAfter(position)
    with Relay(run_path(organisations), around) as around.relay:
        with pytest.raises(StoppedError, match="which is safe at every party; `coordinator train --resume") as stopped:
            around.relay.fit(resume=resume)
        run_id = around.relay._journal.runs()[-1].run_id
    assert run_id[:8] in str(stopped.value)
    return run_id


@pytest.fixture(autouse=True)
def stop_is_seen_at_once(monkeypatch):
    monkeypatch.setattr("coordinator.training.STOP_CHECK_SECONDS", 0.0)


def train(organisations, resume=None, **changes):
    with connect(run_path(organisations, **changes)) as parties:
        parties.align()
        return parties.fit(resume=resume)


def restart(organisations, *names):
    for name in names:
        organisations.stop_server(name)
        organisations.start_server(name)


@pytest.mark.parametrize("case", CASES)
def test_a_stopped_run_goes_on_to_the_same_bits(make_organisations, case):
    organisations = make(make_organisations, case)
    undisturbed = outcome(organisations, train(organisations))

    often = train(organisations, checkpoints=EVERY_STEP)
    expect_equal(outcome(organisations, often), undisturbed)  # how often the parties write changes no number

    run_id = stop_at(organisations, 2)
    stop_at(organisations, 5, resume=run_id[:6])
    restart(organisations, *organisations.names)  # all that they know of the run now is on their disks
    resumed = train(organisations, resume=run_id)
    assert resumed.run_id == run_id
    expect_equal(outcome(organisations, resumed), undisturbed)
