"""Whether the private head fails depends on true labels: nobody else may see that it did."""

import json
import logging

import numpy as np
import pandas as pd

from party.pb.handshake_pb2 import Purpose
from tests.support.label_side import LabelSide, deep, labels_section, random_labels, session_labels

NAMES = ["minutes"]
CHECKED = """
import keras
import tensorflow as tf


class Checked(keras.layers.Layer):
    def call(self, values):
        return tf.debugging.check_numerics(values, "a number of the model")
"""
CHECKED_IN_USE = """
import keras
import tensorflow as tf


class Checked(keras.layers.Layer):
    def call(self, values, training=False):
        if training:
            return values
        with tf.control_dependencies([tf.debugging.assert_less(tf.abs(values), 20.0)]):
            return tf.identity(values)
"""
FUSE = """

def build_fuse(hiddens, labels):
    inputs = {name: keras.Input((one.units,), name=name) for name, one in hiddens.items()}
    joined = keras.layers.Concatenate()([inputs["deep"], inputs["deep"]])
    outputs = {name: Checked()(keras.layers.Dense(task.units)(joined)) for name, task in labels.items()}
    return keras.Model(inputs, outputs)
"""


def label_party(folder, true, drawn, layer=CHECKED):
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "own.py"
    path.write_text(layer + FUSE)
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


def test_a_private_head_that_fails_when_it_predicts_changes_nothing_that_leaves(tmp_path, caplog):
    """Labels of one size train a head that a check of its outputs accepts, larger ones a head that it does not."""
    true, drawn = random_labels(NAMES, seed=1), random_labels(NAMES, seed=2)
    left, predictions = [], []
    for name, values in (("sound", true), ("failing", 1000 * true)):
        side = label_party(tmp_path / name, values, drawn, CHECKED_IN_USE)
        side.open_training()
        side.finish()
        caplog.clear()
        side.open_inference(Purpose.PURPOSE_PREDICT)
        side.finish()
        failed = [one for one in caplog.records if "the private head failed with InvalidArgumentError" in one.message]
        assert len(failed) == (name == "failing")
        left.append(side.left)
        predictions.append(pd.read_csv(side.run_folder / "predictions-train.csv"))
    assert left[0] == left[1]
    assert ("predictions-train.csv",) in [files for files, _, _ in left[0]["result"]]
    sound, failing = predictions
    assert sound["prediction"].notna().all()
    assert failing["prediction"].isna().all(), "what is not known is left empty, and no former file stays"
    assert failing["ID"].tolist() == sound["ID"].tolist()
