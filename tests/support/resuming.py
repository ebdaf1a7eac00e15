"""Runs that are stopped and resumed, and their results for comparing two runs."""

import numpy as np
import pytest

from coordinator import connect
from coordinator.progress import SilentDisplay
from party.errors import StoppedError
from tests.support.relaying import Relay

NEVER = {"every_seconds": 1e6}
DROPOUT = {
    "alice": {"model": {"file": "normalised.py", "base": "build_base"}},
    "bob": {
        "model": {"kind": "dnn", "units": [5], "dropout": 0.2},
        "fuse": {"kind": "dnn", "units": [6], "dropout": 0.3},
    },
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


def run_path(organisations, **changes):
    settings = {"checkpoints": NEVER, "alignment": {"datasets": ["train"]}, "evaluate_dataset": "train"}
    return organisations.write_run(**{**settings, **changes})


def outcome(organisations, history):
    """Returns all results of a run, for comparing two runs."""
    weights = {name: organisations.weights(name, history.run_id) for name in organisations.names}
    with connect(run_path(organisations)) as parties:
        predicted = parties.predict(run_id=history.run_id)
    folder = organisations.state_path(predicted.party) / "runs" / history.run_id
    written = [(folder / name).read_bytes() for name in (predicted.files[0], "history.json", "steps.csv")]
    return weights, history.history, history.step_loss, history.epoch, history.best_epoch, written


def expect_equal(one, other):
    (weights, *rest), (other_weights, *other_rest) = one, other
    for name, arrays in weights.items():
        assert set(arrays) == set(other_weights[name])
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, other_weights[name][key], err_msg=f"{name}: {key}", strict=True)
    assert rest == other_rest


class StopAfter:
    """Stops a run, with a checkpoint, while the batch at a position is under way."""

    def __init__(self, position):
        self.position = position
        self.relay = None

    def __call__(self, send, party, method, request):
        if method == "Fuse" and request.position == self.position:
            self.relay.stop()
        return send(request)


class Lines(SilentDisplay):
    """Records the lines that would be printed."""

    def __init__(self, lines):
        self._lines = lines

    def print_line(self, text):
        self._lines.append(text)


def stop_at(organisations, position, resume=None, continue_from=None, **changes):
    around = StopAfter(position)
    with Relay(run_path(organisations, **changes), around) as around.relay:
        with pytest.raises(
            StoppedError, match="checkpointed at every party; run `coordinator train --resume"
        ) as stopped:
            around.relay.fit(resume=resume, continue_from=continue_from)
        run_id = around.relay._journal.runs()[-1].run_id
    assert run_id[:8] in str(stopped.value)
    return run_id


def train(organisations, resume=None, **changes):
    with connect(run_path(organisations, **changes)) as parties:
        parties.align()
        return parties.fit(resume=resume)


def restart(organisations, *names):
    for name in names:
        organisations.stop_server(name)
        organisations.start_server(name)


def checkpoints_of(organisations, name, run_id):
    """Returns the files of a party's checkpoints by step."""
    folder = organisations.state_path(name) / "runs" / run_id / "checkpoints"
    return {int(path.name[:12]): path for path in sorted(folder.glob("*.checkpoint"))}
