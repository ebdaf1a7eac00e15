"""Dense base and fuse models are what their formulas say, and train as one model over all parties."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.configuration.labels import BinaryLabel, RegressionLabel
from party.configuration.layout import BaseLayout, FeatureLayout, FuseLayout
from party.configuration.models import DNNFuse, DNNModel
from party.cut.layout import CutLayout
from party.data.rows import InMemoryRows
from party.engine.trainable_base_model import TrainableBaseModel
from party.models.assembly import base_specs, build_base, build_fuse
from party.models.initial_weights import draw_initial_weights
from party.models.storage import named_weights
from tests.support.reference_models import (
    Setup,
    assert_split_training_is_right,
    base_output,
    draw,
    draw_inputs,
    fuse_outputs,
    split_models,
    weights_of,
)

INCOME = BinaryLabel(rule="x > 3")
HOURS = RegressionLabel(kind="regression", column="h")
ONE, TWO = {"income": INCOME}, {"income": INCOME, "hours": HOURS}
WEIGHTED = {"income": BinaryLabel(rule="x > 3", weight=0.3), "hours": HOURS}
ALICE = (
    FeatureLayout(name="job", kind="vocabulary", start=0, width=1),
    FeatureLayout(name="tags", kind="tokens", start=1, width=3),
    FeatureLayout(name="age", kind="numeric", start=4, width=1),
)
BOB = (
    FeatureLayout(name="history", kind="sequence", start=0, width=4),
    FeatureLayout(name="city", kind="vocabulary", start=4, width=1),
)


def base_layout(features, **section):
    return BaseLayout(section=DNNModel(kind="dnn", **section), features=features, size=20)


def make_setup(labels, units, fuse_units, **fuse):
    bases = {
        "alice": base_layout(ALICE, embedding_dimension=3, units=units),
        "bob": base_layout(BOB, embedding_dimension=4, units=units[::-1]),
    }
    return Setup(bases, DNNFuse(kind="dnn", units=fuse_units, **fuse), labels)


CASES = {
    "layers": make_setup(ONE, (7, 5), (6, 4)),
    "logistic regression": make_setup(ONE, (), ()),
    "two labels": make_setup(WEIGHTED, (6,), (5,)),
    "two labels without layers": make_setup(TWO, (), ()),
    "uncertainty": make_setup(TWO, (6,), (5,), task_weighting="uncertainty"),
}


@pytest.mark.parametrize(
    ("case", "optimizer"),
    [*((case, "sgd") for case in CASES), ("layers", "adam"), ("logistic regression", "adam"), ("uncertainty", "adam")],
)
def test_split_training_is_that_of_the_formulas(case, optimizer):
    assert_split_training_is_right(CASES[case], optimizer)


@pytest.mark.parametrize("features", [ALICE, BOB], ids=["alice", "bob"])
@pytest.mark.parametrize("units", [(), (5,), (6, 4)], ids=str)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_base_model_is_its_formula(features, units, activation):
    layout = base_layout(features, embedding_dimension=3, units=units, activation=activation)
    model, inputs = draw(build_base(layout)), draw_inputs(layout)
    outputs = model(inputs)
    assert outputs.keys() == {"deep"}
    expected = base_output(layout, weights_of(model), **inputs)
    np.testing.assert_allclose(outputs["deep"], expected, rtol=1e-5, atol=1e-6)
    (spec,) = base_specs(layout)
    assert (spec.name, spec.units) == ("deep", expected.shape[1])


def test_without_layers_the_fields_cross_the_cut_side_by_side():
    layout = base_layout(ALICE, embedding_dimension=3, units=())
    model, inputs = draw(build_base(layout)), draw_inputs(layout)
    assert named_weights(model).keys() == {"base/factors"}
    factors = named_weights(model)["base/factors"].numpy()
    slots = factors[inputs["indices"]] * inputs["values"][:, :, None]
    expected = np.concatenate([slots[:, 0], slots[:, 1:4].sum(axis=1), slots[:, 4]], axis=1)
    np.testing.assert_allclose(model(inputs)["deep"], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("units", [(), (6, 4)], ids=str)
def test_fuse_model_is_its_formula(units):
    section = DNNFuse(kind="dnn", units=units)
    model = draw(build_fuse(FuseLayout(section=section, units={"deep": 7}, labels=TWO)))
    deep = tf.constant(np.random.default_rng(2).normal(size=(9, 7)).astype(np.float32))
    expected = fuse_outputs(section, TWO, weights_of(model), deep)
    outputs = model({"deep": deep})
    assert outputs.keys() == expected.keys() == TWO.keys()
    for name in TWO:
        assert outputs[name].shape == (9, 1)
        np.testing.assert_allclose(outputs[name], expected[name], rtol=1e-5, atol=1e-6)


def test_padding_of_a_sequence_never_changes_an_output():
    layout = base_layout(BOB, embedding_dimension=3, units=(5,))
    model, inputs = draw(build_base(layout)), draw_inputs(layout)
    other = np.where(inputs["values"] == 0, (inputs["indices"] + 7) % layout.size, inputs["indices"])
    assert (other != inputs["indices"]).any()
    changed = {"indices": other.astype(np.int32), "values": inputs["values"]}
    np.testing.assert_array_equal(model(inputs)["deep"], model(changed)["deep"])


def shares_of(labels, **fuse):
    setup = make_setup(labels, (6,), (5,), **fuse)
    bases, fuse_model, _ = split_models(setup, setup.build())
    rows = np.arange(12, dtype=np.int32)
    measures = fuse_model.gradients(rows, {name: base.forward(rows) for name, base in bases.items()}).measures
    return measures, [measures[f"{name}_gradient_share"] for name in labels]


def test_gradient_shares_say_who_moves_what_is_shared():
    measures, shares = shares_of(TWO)
    assert {"income_loss", "hours_loss"} <= measures.keys()
    assert sum(shares) == pytest.approx(1.0, abs=1e-6)
    assert min(shares) > 0.01
    _, shares = shares_of({"income": BinaryLabel(rule="x > 3", weight=1e-7), "hours": HOURS})
    assert shares == pytest.approx([0.0, 1.0], abs=1e-4)


def test_dropout_is_off_outside_of_training_and_reproducible_in_training():
    layout = base_layout(ALICE, embedding_dimension=3, units=(32, 16), dropout=0.4)
    inputs, rows = draw_inputs(layout), np.arange(10, dtype=np.int32)
    bases = []
    for _ in range(2):
        model = build_base(layout)
        draw_initial_weights(model, np.random.default_rng(5))
        cut, optimizer = CutLayout(base_specs(layout)), keras.optimizers.SGD(0.1)
        bases.append(TrainableBaseModel(model, InMemoryRows(inputs), cut, optimizer))
    np.testing.assert_array_equal(model(inputs, training=False)["deep"], model(inputs, training=False)["deep"])
    first, second = ([base.forward(rows) for _ in range(2)] for base in bases)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (first[0] != first[1]).any()
    assert (first[0] != bases[0].infer(rows)).any()
    np.testing.assert_array_equal(bases[0].infer(rows), bases[1].infer(rows))


def test_saved_models_predict_identically(tmp_path):
    layout = base_layout(ALICE, embedding_dimension=3, units=(6, 4), dropout=0.3)
    inputs = draw_inputs(layout)
    section = DNNFuse(kind="dnn", units=(5,), dropout=0.3)
    fuse = draw(build_fuse(FuseLayout(section=section, units={"deep": 4}, labels=TWO)))
    base = draw(build_base(layout))
    base.save(tmp_path / "base.keras")
    fuse.save(tmp_path / "fuse.keras")
    loaded = {name: keras.models.load_model(tmp_path / f"{name}.keras") for name in ("base", "fuse")}
    deep = base(inputs)["deep"]
    np.testing.assert_array_equal(loaded["base"](inputs)["deep"], deep)
    for name, logits in fuse({"deep": deep}).items():
        np.testing.assert_array_equal(loaded["fuse"]({"deep": deep})[name], logits)
