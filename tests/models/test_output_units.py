"""Numbers are learned in units of their deviation, and given out as the labels have them."""

import dataclasses
import json
import math

import numpy as np
import pytest
import tensorflow as tf

from party.configuration.labels import BinaryLabel, RegressionLabel
from party.configuration.layout import FuseLayout, OutputScale
from party.configuration.models import DNNFuse, MMoEFuse
from party.data.labels import LabelArrays, SessionLabels
from party.models.assembly import build_fuse
from party.models.losses import TaskLosses
from party.models.output_units import is_scaled
from party.models.storage import named_weights
from party.pb.handshake_pb2 import Purpose
from party.runtime.continued_run import ContinuedRun
from party.runtime.label_scales import label_scales
from party.runtime.records import RECORD_FILE
from party.runtime.training_setup import training_setup
from tests.support.label_side import (
    NUMBER_BOUNDS,
    PARTY,
    ROWS,
    RUN_ID,
    LabelSide,
    deep,
    labels_section,
    random_labels,
    session_labels,
)
from tests.support.reference_models import draw

HOURS = RegressionLabel(kind="regression", column="h")
LABELS = {"liked": BinaryLabel(rule="x > 3"), "hours": HOURS}
SCALE = OutputScale(centre=294_000.0, spread=88_700.0)
GENERATOR = np.random.default_rng(3)
HIDDEN = tf.constant(GENERATOR.normal(size=(20, 4)), tf.float32)
CLASSES = GENERATOR.integers(0, 2, 20)
NUMBERS = GENERATOR.normal(size=20)
RAW = tf.constant(np.stack([CLASSES, SCALE.centre + SCALE.spread * NUMBERS], 1), tf.float32)
STANDARD = tf.constant(np.stack([CLASSES, NUMBERS], 1), tf.float32)


def fuse(section, scales):
    return draw(build_fuse(FuseLayout(section=section, units={"deep": 4}, labels=LABELS, scales=scales)), seed=5)


@pytest.mark.parametrize("section", [DNNFuse(kind="dnn", units=(3,)), MMoEFuse(kind="mmoe")], ids=["dnn", "mmoe"])
def test_a_scaled_model_is_the_plain_one_in_other_units(section):
    """Outputs, losses and gradients are those of a model of standardised labels; classes are untouched."""
    plain, scaled = fuse(section, {}), fuse(section, {"hours": SCALE})
    weights = [named_weights(model) for model in (plain, scaled)]
    assert set(weights[0]) == set(weights[1])
    for name, weight in weights[1].items():
        weight.assign(weights[0][name].value)
    gradients, losses, outputs = [], [], []
    cases = ((plain, STANDARD, {}), (scaled, RAW, {"hours": SCALE}))
    for (model, labels, scales), named in zip(cases, weights, strict=True):
        task_losses = TaskLosses(LABELS, uncertainty=False, party="bob", scales=scales)
        with tf.GradientTape() as tape:
            tape.watch(HIDDEN)
            outputs.append(model({"deep": HIDDEN}))
            losses.append(task_losses.means(labels, outputs[-1], None))
            total = tf.add_n(losses[-1])
        gradients.append(tape.gradient(total, [HIDDEN, *(named[name].value for name in sorted(named))]))
    np.testing.assert_array_equal(outputs[0]["liked"], outputs[1]["liked"])
    np.testing.assert_allclose(outputs[1]["hours"], SCALE.centre + SCALE.spread * outputs[0]["hours"], rtol=1e-6)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_loss_of_rows_is_in_units_of_the_deviation():
    losses = TaskLosses({"hours": HOURS}, uncertainty=False, party="bob", scales={"hours": SCALE})
    guesses = np.full((20, 1), SCALE.centre, np.float32)
    np.testing.assert_allclose(losses.by_row("hours", RAW.numpy()[:, 1], guesses), NUMBERS**2, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "scaled"),
    [
        ("mean_squared_error", True),
        ("MeanAbsoluteError", True),
        ("huber", True),
        ("poisson", False),
        ("mean_absolute_percentage_error", False),
        ({"name": "huber", "arguments": {"delta": 2.0}}, False),
    ],
)
def test_losses_that_need_the_number_itself_get_it(loss, scaled):
    assert is_scaled(RegressionLabel.model_validate({"kind": "regression", "column": "h", "loss": loss})) is scaled


def party(**label):
    """A label party without features, whose numbers are those of the case."""
    data = {"labels": {"minutes": {"kind": "regression", "column": "minutes", **label}}}
    return {"data": data, "fuse": {"kind": "dnn", "units": [4]}}


def trained(folder, **label):
    """The label party of a finished run, and the rows that it trained on."""
    folder.mkdir(mode=0o700)
    values = np.random.default_rng(1).normal(294_000, 88_700, (ROWS, 1)).astype(np.float32)
    labels = SessionLabels(LabelArrays(values))
    side = LabelSide(folder, party=party(**label), training={"epochs": 1}, specs=deep(), labels=labels)
    side.open_training()
    rows = values[side.schedule.training_rows, 0].astype(np.float64)
    while not side.label.finished:
        side.exchange()
    side.finish()
    return side, rows


def scales_of(side):
    return json.loads((side.run_folder / RECORD_FILE).read_text())["fuse"]["scales"]


def test_a_run_keeps_the_scale_of_its_training_rows(tmp_path):
    side, rows = trained(tmp_path / "party")
    scale = scales_of(side)["minutes"]
    assert math.isclose(scale["centre"], rows.mean(), rel_tol=1e-12)
    assert math.isclose(scale["spread"], rows.std(), rel_tol=1e-12)
    assert len(rows) < ROWS
    history = json.loads((side.run_folder / "history.json").read_text())["history"]
    # An untrained model predicts about the mean: the loss is about 1, and the error about the deviation.
    assert 0.2 < history["val_loss"][0] < 5
    assert 0.4 * rows.std() < history["val_root_mean_squared_error"][0] < 2.5 * rows.std()
    side.open_inference(Purpose.PURPOSE_EVALUATE)
    while not side.label.finished:
        side.exchange()
    side.finish()
    line = json.loads((side.run_folder / "evaluations.jsonl").read_text().splitlines()[-1])["metrics"]
    assert math.isclose(line["root_mean_squared_error"], rows.std(), rel_tol=0.7)
    assert math.isclose(line["loss"], (line["root_mean_squared_error"] / scale["spread"]) ** 2, rel_tol=1e-3)


def test_no_scale_if_the_owner_wants_none(tmp_path):
    side, rows = trained(tmp_path / "party", scale="none")
    assert scales_of(side) == {}
    assert json.loads((side.run_folder / "history.json").read_text())["history"]["loss"][0] > 0.5 * (rows**2).mean()


def test_the_scale_of_private_numbers_is_that_of_their_bounds(tmp_path):
    folder = tmp_path / "party"
    folder.mkdir(mode=0o700)
    labels = session_labels(["minutes"], random_labels(["minutes"], 1), random_labels(["minutes"], 2))
    section = {"data": {"labels": labels_section(["minutes"])}, "fuse": {"kind": "dnn", "units": [4]}}
    side = LabelSide(folder, party=section, training={"epochs": 1}, specs=deep(), labels=labels)
    side.open_training()
    while not side.label.finished:
        side.exchange()
    side.finish()
    evenly = np.linspace(NUMBER_BOUNDS["minimum"], NUMBER_BOUNDS["maximum"], 100_001)
    assert math.isclose(scales_of(side)["minutes"]["centre"], evenly.mean(), rel_tol=1e-9)
    assert math.isclose(scales_of(side)["minutes"]["spread"], evenly.std(), rel_tol=1e-4)


def test_a_run_that_continues_another_keeps_its_scale(tmp_path):
    before, _ = trained(tmp_path / "before")
    other = LabelArrays(np.linspace(0, 1, ROWS, dtype=np.float32)[:, None])
    folder = tmp_path / "after"
    folder.mkdir(mode=0o700)
    after = LabelSide(folder, party=party(), training={}, specs=deep(), labels=SessionLabels(other))
    batches = training_setup(after._opening(Purpose.PURPOSE_TRAIN), None).batches
    batches = dataclasses.replace(batches, read_labels=lambda: after.labels)
    continued = ContinuedRun(before.context.records.find(RUN_ID), before.run_folder, PARTY)
    kept = label_scales(dataclasses.replace(batches, continued=continued))
    assert {name: scale.model_dump() for name, scale in kept.items()} == scales_of(before)
    assert label_scales(batches)["minutes"].centre < 1
