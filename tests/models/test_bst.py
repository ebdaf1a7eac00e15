"""The Behavior Sequence Transformer is what its formulas say, and trains as one model over all parties."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.configuration.labels import BinaryLabel
from party.configuration.layout import BaseLayout, FeatureLayout
from party.configuration.models import BSTModel, DNNFuse, DNNModel
from party.cut.layout import CutLayout
from party.data.rows import InMemoryRows
from party.engine.trainable_base_model import TrainableBaseModel
from party.models.assembly import base_specs, build_base
from party.models.initial_weights import draw_initial_weights
from party.models.storage import named_weights
from tests.support.reference_models import (
    LEARNING_RATE,
    Setup,
    assert_split_training_is_right,
    base_output,
    draw,
    draw_inputs,
    weights_of,
)

SIZE, UNUSED = 20, 19  # rows of the embedding table, and one that no feature looks up unless a test says so
FILM = FeatureLayout(name="film", kind="vocabulary", start=0, width=1)
AGE = FeatureLayout(name="age", kind="numeric", start=6, width=1)
TARGETED = (FILM, FeatureLayout(name="history", kind="sequence", start=1, width=5, target="film"), AGE)
UNTARGETED = (FILM, FeatureLayout(name="history", kind="sequence", start=1, width=5), AGE)
ALONE = (FeatureLayout(name="history", kind="sequence", start=0, width=5),)
SEVERAL = (
    FeatureLayout(name="clicks", kind="sequence", start=0, width=3),
    FeatureLayout(name="history", kind="sequence", start=3, width=4, target="film"),
    FeatureLayout(name="tags", kind="tokens", start=7, width=3),
    FeatureLayout(name="views", kind="sequence", start=10, width=2, target="film"),
    FeatureLayout(name="film", kind="vocabulary", start=12, width=2),
    FeatureLayout(name="age", kind="numeric", start=14, width=1),
)
KINDS = {
    "alone": (ALONE, "mean"),
    "untargeted": (UNTARGETED, "mean"),
    "mean": (TARGETED, "mean"),
    "target attention": (TARGETED, "target_attention"),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def make_layout(features, **section):
    given = {"embedding_dimension": 8, "heads": 2, "dropout": 0.0, "units": (12, 5), **section}
    return BaseLayout(section=BSTModel(kind="bst", **given), features=features, size=SIZE)


def layout_of(kind, **section):
    features, pooling = KINDS[kind]
    return make_layout(features, pooling=pooling, **section)


def inputs_of(layout, seed=1):
    inputs = draw_inputs(layout, seed=seed)
    return {"indices": inputs["indices"] % UNUSED, "values": inputs["values"]}


def history_of(layout):
    return next(feature for feature in layout.features if feature.name == "history")


def with_indices(inputs, change):
    """The same values, and indices that were changed in place."""
    indices = inputs["indices"].copy()
    change(indices)
    return {"indices": indices, "values": inputs["values"]}


def deep_of(model, inputs):
    return model(inputs, training=False)["deep"].numpy()


def make_setup(alice, bob):
    labels = {"liked": BinaryLabel(rule="x > 3")}
    return Setup({"alice": alice, "bob": bob}, DNNFuse(kind="dnn", units=(6,)), labels, gain=2.0)


@pytest.mark.parametrize(
    ("pooling", "alice_blocks", "bob_blocks"),
    [("mean", 1, 2), ("target_attention", 2, 1)],
)
def test_split_training_is_that_of_the_formulas(pooling, alice_blocks, bob_blocks):
    """Alice has a sequence with its target, bob has nothing but a sequence."""
    alice = make_layout(TARGETED, blocks=alice_blocks, pooling=pooling, attention_units=(6,))
    section = {"embedding_dimension": 6, "heads": 3, "feed_forward_units": 7, "units": (4,)}
    bob = make_layout(ALONE, blocks=bob_blocks, **section)
    assert_split_training_is_right(make_setup(alice, bob), "sgd")


def test_split_training_with_adam_is_that_of_the_formulas():
    """Alice has a transformer, bob has dense layers."""
    alice = make_layout(TARGETED, pooling="target_attention")
    bob = BaseLayout(section=DNNModel(kind="dnn", embedding_dimension=3, units=(4,)), features=ALONE, size=SIZE)
    assert_split_training_is_right(make_setup(alice, bob), "adam")


@pytest.mark.parametrize(
    "section",
    [
        {"pooling": "mean"},
        {"pooling": "mean", "blocks": 3, "heads": 8, "units": (), "feed_forward_units": 3},
        {"pooling": "mean", "heads": 1, "activation": "tanh"},
        {"pooling": "target_attention", "blocks": 2, "heads": 4, "attention_units": (5, 3)},
        {"pooling": "target_attention", "attention_units": ()},
    ],
    ids=str,
)
def test_model_is_its_formula(section):
    layout = make_layout(TARGETED, **section)
    assert_is_its_formula(layout)


@pytest.mark.parametrize("features", [SEVERAL, UNTARGETED, ALONE], ids=["several sequences", "no target", "alone"])
def test_model_is_its_formula_for_other_features(features):
    assert_is_its_formula(make_layout(features, blocks=2))


def assert_is_its_formula(layout):
    model, inputs = draw(build_base(layout)), draw_inputs(layout)
    outputs = model(inputs)
    assert outputs.keys() == {"deep"}
    expected = base_output(layout, weights_of(model), **inputs)
    np.testing.assert_allclose(outputs["deep"], expected, rtol=1e-4, atol=1e-5)
    (spec,) = base_specs(layout)
    assert (spec.name, spec.units) == ("deep", expected.shape[1])


@every_kind
def test_padding_never_changes_an_output(kind):
    layout = layout_of(kind, blocks=2)
    model, inputs, history = draw(build_base(layout)), inputs_of(layout), history_of(layout)
    padded = np.zeros(inputs["values"].shape, bool)
    padded[:, history.start : history.end] = inputs["values"][:, history.start : history.end] == 0
    assert padded[:, history.start : history.end].all(axis=1).any()  # a row without any item is among them

    def change(indices):
        indices[padded] = (indices[padded] + 7) % SIZE

    expected = deep_of(model, inputs)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(deep_of(model, with_indices(inputs, change)), expected)


@every_kind
def test_embedding_rows_of_padding_get_no_gradient(kind):
    layout = layout_of(kind, blocks=2)
    model, inputs, history = draw(build_base(layout)), inputs_of(layout), history_of(layout)
    here = slice(history.start, history.end)

    def pad_with_unused(indices):
        indices[:, here] = np.where(inputs["values"][:, here] == 0, UNUSED, indices[:, here])

    changed = with_indices(inputs, pad_with_unused)
    empty = (changed["indices"][:, here] == UNUSED).all(axis=1)
    assert empty.any()
    for rows in (empty, slice(None)):
        factors = weights_of(model)["base/factors"]
        with tf.GradientTape() as tape:
            deep = model({name: array[rows] for name, array in changed.items()}, training=True)["deep"]
            loss = tf.reduce_sum(deep * tf.range(1.0, deep.shape[1] + 1.0))
        gradient = tf.convert_to_tensor(tape.gradient(loss, factors)).numpy()
        assert np.isfinite(gradient).all()
        np.testing.assert_array_equal(gradient[UNUSED], 0.0)
    assert (gradient[:UNUSED] != 0).any()


@every_kind
def test_every_gradient_of_rows_without_items_is_finite(kind):
    layout = layout_of(kind, blocks=2)
    model, inputs, history = draw(build_base(layout)), inputs_of(layout), history_of(layout)
    empty = (inputs["values"][:, history.start : history.end] == 0).all(axis=1)
    weights = weights_of(model)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model({name: array[empty] for name, array in inputs.items()})["deep"] ** 2)
    for name, gradient in tape.gradient(loss, weights, unconnected_gradients="zero").items():
        assert np.isfinite(tf.convert_to_tensor(gradient).numpy()).all(), name


@every_kind
def test_every_item_of_a_history_matters(kind):
    """Changing an item changes the rows that hold it, and no other row."""
    layout = layout_of(kind)
    model, inputs, history = draw(build_base(layout)), inputs_of(layout), history_of(layout)
    expected = deep_of(model, inputs)
    for slot in range(history.start, history.end):

        def change(indices, slot=slot):
            indices[:, slot] = (indices[:, slot] + 1) % UNUSED

        received = deep_of(model, with_indices(inputs, change))
        np.testing.assert_array_equal((received != expected).any(axis=1), inputs["values"][:, slot] == 1)


def swapped(layout, inputs):
    """Full histories back to front, and which rows are so."""
    history = history_of(layout)
    full = inputs["values"][:, history.start : history.end].all(axis=1)

    def reverse(indices):
        indices[full, history.start : history.end] = indices[full, history.start : history.end][:, ::-1]

    return with_indices(inputs, reverse), full


@every_kind
def test_the_order_of_items_matters_through_their_positions_only(kind):
    layout = layout_of(kind, blocks=2)
    model, inputs = draw(build_base(layout)), inputs_of(layout)
    changed, full = swapped(layout, inputs)
    difference = np.abs(deep_of(model, changed) - deep_of(model, inputs)).max(axis=1)
    assert full.any()
    assert (difference[full] > 1e-3).all()
    np.testing.assert_array_equal(difference[~full], 0.0)
    (positions,) = (weight for name, weight in named_weights(model).items() if name.endswith("_positions"))
    positions.assign(tf.repeat(positions.value[:1], positions.shape[0], axis=0))
    np.testing.assert_allclose(deep_of(model, changed), deep_of(model, inputs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "target_attention"])
def test_the_target_reaches_the_output_through_the_sequence(pooling):
    """With the target's own field cut off from the dense layers."""
    layout = make_layout(TARGETED, pooling=pooling)
    model, inputs = draw(build_base(layout)), inputs_of(layout)
    kernel = named_weights(model)["base/dense_0/kernel"]
    dimension = layout.section.embedding_dimension
    for parts in (1, 3):  # the field alone, then the target token of the sequence too
        cut = np.zeros(kernel.shape, bool)
        cut[:dimension] = True
        if parts == 3:
            cut[2 * dimension : 3 * dimension] = True
        kernel.assign(np.where(cut, 0.0, kernel.numpy()))

        def change(indices):
            indices[:, 0] = (indices[:, 0] + 1) % UNUSED

        changed = (deep_of(model, with_indices(inputs, change)) != deep_of(model, inputs)).any(axis=1)
        with_items = inputs["values"][:, 1:6].any(axis=1)
        np.testing.assert_array_equal(changed, with_items if parts == 3 else np.ones_like(with_items))


def drawn_alike(layout):
    model = build_base(layout)
    draw_initial_weights(model, np.random.default_rng(5))
    return model


def test_dropout_is_off_outside_of_training_and_reproducible_in_training():
    """And an update has the dropout of its own forward pass, also where another one came in between."""
    layout = layout_of("target attention", dropout=0.3)
    inputs, rows = inputs_of(layout), np.arange(10, dtype=np.int32)
    models, source, cut = [drawn_alike(layout) for _ in range(3)], InMemoryRows(inputs), CutLayout(base_specs(layout))
    one, other = (TrainableBaseModel(model, source, cut, keras.optimizers.SGD(LEARNING_RATE)) for model in models[:2])
    np.testing.assert_array_equal(deep_of(models[0], inputs), deep_of(models[0], inputs))
    np.testing.assert_array_equal(one.infer(rows), other.infer(rows))

    first, second = ([base.forward(rows) for _ in range(2)] for base in (one, other))
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)
    assert (first[0] != first[1]).any()
    assert (first[0] != one.infer(rows)).any()

    upstream = np.random.default_rng(8).normal(size=(10, 5)).astype(np.float32)
    weights, batch = weights_of(models[2]), {name: tf.constant(array[rows]) for name, array in inputs.items()}
    with tf.GradientTape() as tape:
        deep = models[2](batch, training=True)["deep"]
    np.testing.assert_allclose(first[0], deep, rtol=1e-5, atol=1e-6)
    one.backward(upstream)
    for name, gradient in tape.gradient(deep, weights, output_gradients=tf.constant(upstream)).items():
        expected = weights[name].numpy() - LEARNING_RATE * tf.convert_to_tensor(gradient).numpy()
        received = named_weights(models[0])[name].numpy()
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5, err_msg=name)


@every_kind
def test_a_saved_model_predicts_identically(kind, tmp_path):
    layout = layout_of(kind, dropout=0.2)
    model, inputs = draw(build_base(layout)), inputs_of(layout)
    model.save(tmp_path / "base.keras")
    loaded = keras.models.load_model(tmp_path / "base.keras")
    np.testing.assert_array_equal(deep_of(loaded, inputs), deep_of(model, inputs))
