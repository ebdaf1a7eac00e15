"""Whether the private head fails depends on true labels: nobody else may see that it did."""

import json
import logging

import numpy as np

from party.pb.handshake_pb2 import Purpose
from tests.support.label_side import LabelSide, deep, labels_section, random_labels, session_labels

NAMES = ["minutes"]
FUSE = """
import keras
import tensorflow as tf


class Checked(keras.layers.Layer):
    def call(self, values):
        return tf.debugging.check_numerics(values, "a number of the model")


def build_fuse(hiddens, labels):
    inputs = {name: keras.Input((one.units,), name=name) for name, one in hiddens.items()}
    joined = keras.layers.Concatenate()([inputs["deep"], inputs["deep"]])
    outputs = {name: Checked()(keras.layers.Dense(task.units)(joined)) for name, task in labels.items()}
    return keras.Model(inputs, outputs)
"""


def label_party(folder, true, drawn):
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "own.py"
    path.write_text(FUSE)
    path.chmod(0o600)
    data = {"features": [], "labels": labels_section(NAMES)}
    return LabelSide(
        folder,
        party={"data": data, "fuse": {"file": "own.py", "fuse": "build_fuse"}},
        training={
            "local_updates": {"steps": 1, "window": 2, "uses": 2},
            "optimizer": {"name": "sgd", "learning_rate": 0.3},
        },
        specs=deep(),
        labels=session_labels(NAMES, true, drawn),
    )


def run(folder, true, drawn):
    """Trains, with a restart in the second epoch, and evaluates; returns all that left, and the label party."""
    side = label_party(folder, true, drawn)
    side.open_training()
    for _ in range(5):
        side.exchange()
    mark = side.checkpoint()
    side.close("interrupted")
    resumed = label_party(folder, true, drawn)
    resumed.open_training(mark, side.peers)
    resumed.finish()
    resumed.open_inference(Purpose.PURPOSE_EVALUATE)
    resumed.finish()
    return {
        (when, what): one for when, party in enumerate((side, resumed)) for what, one in party.left.items()
    }, resumed


def test_a_private_head_that_fails_changes_nothing_that_leaves(tmp_path, caplog):
    true, drawn = random_labels(NAMES, seed=1), random_labels(NAMES, seed=2)
    sound, _ = run(tmp_path / "sound", true, drawn)
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
    failing, party = run(tmp_path / "failing", np.full_like(true, 3e38), drawn)
    assert any("the private head failed with InvalidArgumentError" in one.message for one in caplog.records)
    differing = {what for what, content in sound.items() if content != failing[what]}
    assert differing == {(0, "checkpoint bytes")}, "of a file that only its owner sees: it lacks figures"
    assert json.loads(party.own_files()["history.json"])["epoch"] == []
