"""The real DeepFM models, in float64, against derivatives by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.configuration.models import DeepFMFuse, DeepFMModel
from party.cut.hidden import Aggregation
from party.models.assembly import aggregated_units, base_specs, build_base
from party.models.deepfm import DEEP, EXPECTED, FACTOR_SQUARE, FACTOR_SUM, LINEAR, build_fuse
from party.models.embedding import INDICES, VALUES
from party.models.storage import named_weights
from tests.support.layouts import LABELS, layout_of
from tests.support.numpy_deepfm import numpy_deepfm_loss_and_gradients
from tests.support.oracle_cases import random_weights

LABEL_PARTY = "b"
ROWS = 5
SIZES = {"a": 7, "b": 4, "c": 3}  # rows of each party's table
WIDTHS = {"a": (1, 1, 1), "b": (1, 1), "c": (1,)}
DIMENSION, BASE_UNITS, FUSE_UNITS = 2, [4, 3], [5]


@pytest.fixture
def float64():
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


class Joined:
    """The parties' own models, put together by their specs."""

    def __init__(self, widths, sizes, model=None, fuse_units=FUSE_UNITS):
        section = DeepFMModel(**(model or {"embedding_dimension": DIMENSION, "units": BASE_UNITS}))
        layouts = {party: layout_of(section, widths[party], sizes[party]) for party in sorted(widths)}
        self.specs = base_specs(next(iter(layouts.values())))
        self.bases = {party: build_base(layout) for party, layout in layouts.items()}
        units = aggregated_units(dict.fromkeys(self.bases, self.specs), EXPECTED, "deepfm")
        self.fuse = build_fuse(DeepFMFuse(units=fuse_units), units, LABELS)

    @property
    def variables(self):
        return {
            party: named_weights(base) | (named_weights(self.fuse) if party == LABEL_PARTY else {})
            for party, base in self.bases.items()
        }

    def assign(self, weights):
        variables = self.variables
        assert {party: set(arrays) for party, arrays in weights.items()} == {
            party: set(arrays) for party, arrays in variables.items()
        }
        for party, arrays in weights.items():
            for name, array in arrays.items():
                variables[party][name].assign(array)

    def logits(self, indices, values):
        hiddens = {
            party: base({INDICES: tf.constant(indices[party], tf.int32), VALUES: tf.constant(values[party])})
            for party, base in self.bases.items()
        }
        aggregated = {}
        for spec in self.specs:
            arrays = [hiddens[party][spec.name] for party in sorted(hiddens)]
            aggregated[spec.name] = tf.concat(arrays, 1) if spec.aggregation is Aggregation.CONCAT else tf.add_n(arrays)
        return hiddens, self.fuse(aggregated)["liked"][:, 0]


def loss_and_gradients(joined, indices, values, labels):
    variables = {party: {n: v.value for n, v in arrays.items()} for party, arrays in joined.variables.items()}
    with tf.GradientTape() as tape:
        hiddens, logits = joined.logits(indices, values)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.constant(labels), logits=logits))
    dense, received = tape.gradient(loss, [variables, hiddens])
    return float(loss), logits.numpy(), to_arrays(dense), to_arrays(received)


def to_arrays(tree):
    return {party: {n: tf.convert_to_tensor(g).numpy() for n, g in arrays.items()} for party, arrays in tree.items()}


def assert_close(received, expected):
    assert {party: set(arrays) for party, arrays in received.items()} == {p: set(a) for p, a in expected.items()}
    for party, arrays in expected.items():
        for name, array in arrays.items():
            assert received[party][name].dtype == np.float64
            np.testing.assert_allclose(received[party][name], array, rtol=1e-9, atol=1e-12, err_msg=f"{party} {name}")


@pytest.mark.parametrize("parties", ["b", "ab", "abc"])
def test_loss_and_all_gradients_equal_those_by_hand(float64, parties):
    generator = np.random.default_rng(8)
    widths = {party: WIDTHS[party] for party in parties}
    sizes = {party: SIZES[party] for party in parties}
    counts = {party: len(widths[party]) for party in parties}
    drawn = random_weights(sizes, LABEL_PARTY, counts, BASE_UNITS, FUSE_UNITS)
    weights = {party: {name: array.astype(np.float64) for name, array in v.items()} for party, v in drawn.items()}
    indices = {party: generator.integers(0, sizes[party], (ROWS, counts[party])) for party in parties}
    values = {party: generator.normal(0, 1, (ROWS, counts[party])) for party in parties}
    labels = np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    joined = Joined(widths, sizes)
    joined.assign(weights)
    loss, logits, dense, received = loss_and_gradients(joined, indices, values, labels)
    expected = numpy_deepfm_loss_and_gradients(weights, indices, values, labels)
    assert loss == pytest.approx(expected[0], rel=1e-9)
    np.testing.assert_allclose(logits, expected[1], rtol=1e-9)
    assert_close(dense, expected[2])
    assert_close(received, expected[3])
    assert all(np.abs(array).max() > 1e-6 for arrays in dense.values() for array in arrays.values())


def test_all_ones_on_paper(float64):
    """Two parties of two features: z = 4 linear + ½(2 · 4² − 4 · 2) + (5 + 5 + 1) + 1 = 4 + 12 + 12 = 28."""
    joined = Joined(
        {"a": (1, 1), "b": (1, 1)}, {"a": 2, "b": 2}, {"embedding_dimension": 2, "units": [1]}, fuse_units=[1]
    )
    joined.assign({p: {n: np.ones(v.shape) for n, v in arrays.items()} for p, arrays in joined.variables.items()})
    places, ones = {p: np.array([[0, 1]]) for p in "ab"}, {p: np.ones((1, 2)) for p in "ab"}
    hiddens, logits = joined.logits(places, ones)
    assert logits.numpy().tolist() == [28.0]
    for party in "ab":
        assert {name: hidden.numpy().tolist() for name, hidden in hiddens[party].items()} == {
            DEEP: [[5.0]],
            FACTOR_SUM: [[2.0, 2.0]],
            FACTOR_SQUARE: [[4.0]],
            LINEAR: [[2.0]],
        }


def base_outputs(base, indices, values):
    outputs = base({INDICES: tf.constant(indices, tf.int32), VALUES: tf.constant(values, tf.float32)})
    return {name: output.numpy() for name, output in outputs.items()}


def random_base(section=None, widths=(1, 3, 1), size=9):
    section = section or DeepFMModel(embedding_dimension=DIMENSION, units=BASE_UNITS)
    base = build_base(layout_of(section, widths, size))
    generator = np.random.default_rng(3)
    for weight in base.trainable_variables:
        weight.assign(generator.normal(0, 0.5, weight.shape))
    return base


def test_padding_has_no_influence():
    """A slot of value 0 changes no output and gets no gradient, whatever table row it points to."""
    base = random_base()
    indices, values = np.array([[1, 4, 5, 0, 2]]), np.array([[1.0, 1.0, 1.0, 0.0, 0.5]])
    other = np.array([[1, 4, 5, 8, 2]])
    expected = base_outputs(base, indices, values)
    for name, output in base_outputs(base, other, values).items():
        np.testing.assert_array_equal(output, expected[name])
    factors = named_weights(base)["base/factors"].value
    inputs = {INDICES: tf.constant(other, tf.int32), VALUES: tf.constant(values, tf.float32)}
    with tf.GradientTape() as tape:
        tape.watch(factors)
        outputs = base(inputs)
        total = tf.add_n([tf.reduce_sum(tf.square(output)) for output in outputs.values()])
    gradient = tf.convert_to_tensor(tape.gradient(total, named_weights(base)["base/factors"].value)).numpy()
    assert not gradient[8].any()
    assert gradient[4].any()


def test_order_of_the_values_of_a_cell_has_no_influence():
    base = random_base()
    values = np.ones((1, 5))
    one = base_outputs(base, np.array([[1, 4, 5, 6, 2]]), values)
    two = base_outputs(base, np.array([[1, 6, 4, 5, 2]]), values)
    for name, output in one.items():
        np.testing.assert_allclose(two[name], output, rtol=1e-6, atol=1e-6)


def test_hiddens_are_those_of_the_formulas():
    base = random_base()
    generator = np.random.default_rng(1)
    indices, values = generator.integers(0, 9, (4, 5)), generator.normal(size=(4, 5)).astype(np.float32)
    weights = {name: weight.numpy() for name, weight in named_weights(base).items()}
    entries = weights["base/factors"][indices] * values[:, :, None]
    outputs = base_outputs(base, indices, values)
    np.testing.assert_allclose(outputs[FACTOR_SUM], entries.sum(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs[FACTOR_SQUARE][:, 0], (entries**2).sum(axis=(1, 2)), rtol=1e-5)
    linear = (weights["base/linear"][indices][:, :, 0] * values).sum(axis=1)
    np.testing.assert_allclose(outputs[LINEAR][:, 0], linear, rtol=1e-5, atol=1e-6)
    hidden = np.concatenate([entries[:, 0], entries[:, 1:4].sum(axis=1), entries[:, 4]], axis=1)
    for layer in range(2):
        kernel, bias = weights[f"base/dense_{layer}/kernel"], weights[f"base/dense_{layer}/bias"]
        hidden = np.maximum(0, hidden @ kernel + bias)
    np.testing.assert_allclose(outputs[DEEP], hidden, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("widths", [(1,), (3,), (1, 1), (2, 1)])
def test_outputs_have_the_widths_that_the_specs_state(widths):
    section = DeepFMModel(embedding_dimension=3, units=[6, 5])
    base = random_base(section, widths)
    outputs = base_outputs(base, np.zeros((2, sum(widths))), np.ones((2, sum(widths))))
    assert {name: output.shape for name, output in outputs.items()} == {
        spec.name: (2, spec.units) for spec in base_specs(layout_of(section, widths, 9))
    }


def test_interaction_term_needs_both_parties():
    """½(‖Σv‖² − Σ‖v‖²) of the sums holds the products across parties that no party could form alone."""
    fuse = build_fuse(DeepFMFuse(units=()), {DEEP: 2, FACTOR_SUM: 2, FACTOR_SQUARE: 1, LINEAR: 1}, LABELS)
    for weight in fuse.trainable_variables:
        weight.assign(np.zeros(weight.shape))
    ours, theirs = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    hiddens = {
        DEEP: np.zeros((1, 2)),
        FACTOR_SUM: ours + theirs,
        FACTOR_SQUARE: np.array([[(ours**2).sum() + (theirs**2).sum()]]),
        LINEAR: np.array([[10.0]]),
    }
    logit = fuse({name: tf.constant(array, tf.float32) for name, array in hiddens.items()})["liked"].numpy()
    assert logit.tolist() == [[10.0 + 1 * 3 - 2 * 1]]


def test_dropout_acts_in_training_alone():
    section = DeepFMModel(embedding_dimension=2, units=[64], dropout=0.5)
    base = random_base(section, (1,))
    inputs = {INDICES: tf.constant([[1]]), VALUES: tf.constant([[1.0]])}
    still = base(inputs, training=False)[DEEP].numpy()
    trained = base(inputs, training=True)[DEEP].numpy()
    np.testing.assert_array_equal(base(inputs, training=False)[DEEP].numpy(), still)
    active = still[0] > 0
    kept = trained[0][active] > 0
    assert 0 < kept.sum() < active.sum()
    np.testing.assert_allclose(trained[0][active][kept], 2 * still[0][active][kept], rtol=1e-6)
