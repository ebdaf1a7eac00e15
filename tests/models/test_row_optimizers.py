"""Optimizers that move only rows of the batch, against NumPy written from their formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from party.configuration.run import OptimizerSection
from party.engine.weight_update import WeightUpdate
from party.models.keras_objects import build_optimizer
from party.models.row_optimizers import LazyAdam, RowAdagrad, sum_repeated_rows

ROWS, DIMENSION, IDS, STEPS = 11, 3, 8, 50
NEVER = 10  # no batch names this row
RATE, BETA_1, BETA_2, EPSILON = 0.05, 0.9, 0.999, 1e-7


class NumpyLazyAdam:
    """Adam on the rows of a batch; bias correction by the number of steps."""

    def __init__(self, weight):
        self.weight, self.m, self.v, self.t = weight.astype(np.float64), *np.zeros((2, *weight.shape)), 0

    def step(self, summed):
        self.t += 1
        for row, gradient in summed.items():
            self.m[row] = BETA_1 * self.m[row] + (1 - BETA_1) * gradient
            self.v[row] = BETA_2 * self.v[row] + (1 - BETA_2) * gradient**2
            corrected = RATE * np.sqrt(1 - BETA_2**self.t) / (1 - BETA_1**self.t)
            self.weight[row] -= corrected * self.m[row] / (np.sqrt(self.v[row]) + EPSILON)


class NumpyRowAdagrad:
    """Adagrad on the rows of a batch, with the mean square of a row's gradient for all of it."""

    def __init__(self, weight):
        self.weight, self.sums = weight.astype(np.float64), np.zeros(len(weight))

    def step(self, summed):
        for row, gradient in summed.items():
            self.sums[row] += np.mean(gradient**2)
            self.weight[row] -= RATE * gradient / (np.sqrt(self.sums[row]) + EPSILON)


ORACLES = {"lazy_adam": NumpyLazyAdam, "row_adagrad": NumpyRowAdagrad}
PLAIN = {"lazy_adam": lambda: keras.optimizers.Adam(RATE), "row_adagrad": lambda: keras.optimizers.Adagrad(RATE)}


def make_weights():
    generator = np.random.default_rng(1)
    table = keras.Variable(generator.normal(size=(ROWS, DIMENSION)).astype(np.float32), name="embeddings")
    return [keras.Variable(generator.normal(size=(4, 3)).astype(np.float32), name="kernel"), table]


def make_batch(step):
    """A gradient by the dense weight, and slices that name some rows more than once."""
    generator = np.random.default_rng(step)
    rows = generator.integers(0, NEVER, IDS).astype(np.int32)
    rows[-1] = rows[0]
    values = generator.normal(0, 10.0 ** generator.integers(-3, 2), (IDS, DIMENSION)).astype(np.float32)
    return generator.normal(size=(4, 3)).astype(np.float32), rows, values


def tensors(batch):
    dense, rows, values = batch
    return [
        tf.constant(dense),
        tf.IndexedSlices(tf.constant(values), tf.constant(rows), tf.constant([ROWS, DIMENSION])),
    ]


def summed(rows, values):
    return {row: values[rows == row].astype(np.float64).sum(axis=0) for row in np.unique(rows)}


def build(name, **arguments):
    return build_optimizer(OptimizerSection(name=name, learning_rate=RATE, arguments=arguments), "here")


def train(optimizer, batches):
    """The weights after every step, with the compiled update of a party."""
    weights = make_weights()
    update = WeightUpdate(optimizer, weights)
    apply, history = tf.function(lambda *gradients: update.apply(gradients)), []
    for batch in batches:
        apply(*tensors(batch))
        history.append([weight.numpy().copy() for weight in weights])
    return history


@pytest.mark.parametrize("name", ORACLES)
def test_fifty_steps_are_those_of_the_formula(name):
    batches = [make_batch(step) for step in range(STEPS)]
    oracle = ORACLES[name](make_weights()[1].numpy())
    for (_, received), (_, rows, values) in zip(train(build(name), batches), batches, strict=True):
        oracle.step(summed(rows, values))
        np.testing.assert_allclose(received, oracle.weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ORACLES)
def test_a_row_that_is_not_in_the_batch_keeps_every_bit_of_its_weights_and_its_slots(name):
    optimizer, weights = build(name), make_weights()
    update = WeightUpdate(optimizer, weights)

    def by_row():
        return [one.numpy().copy() for one in [weights[1], *optimizer.variables] if one.shape[:1] == (ROWS,)]

    assert len(by_row()) == {"lazy_adam": 3, "row_adagrad": 2}[name]
    for step in range(STEPS):
        before, (dense, rows, values) = by_row(), make_batch(step)
        update.apply(tensors((dense, rows, values)))
        named = np.unique(rows)
        assert 1 < len(named) < NEVER
        for one, other in zip(before, by_row(), strict=True):
            assert set(np.flatnonzero((one != other).any(axis=1))) <= set(named)
        assert (before[0] != by_row()[0]).any()


def test_with_every_row_in_every_batch_lazy_adam_is_adam_bit_by_bit():
    batches = []
    for step in range(STEPS):
        generator = np.random.default_rng(step)
        values = generator.normal(size=(ROWS, DIMENSION)).astype(np.float32)
        batches.append((generator.normal(size=(4, 3)).astype(np.float32), generator.permutation(ROWS), values))
    weights, plain = make_weights(), PLAIN["lazy_adam"]()
    plain.build(weights)
    for (dense, rows, values), received in zip(batches, train(build("lazy_adam"), batches), strict=True):
        whole = np.zeros_like(values)
        whole[rows] = values
        plain.apply([tf.constant(dense), tf.constant(whole)], weights)
        for one, other in zip(received, weights, strict=True):
            np.testing.assert_array_equal(one, other.numpy())


@pytest.mark.parametrize("name", ORACLES)
def test_weights_that_are_no_tables_are_those_of_keras(name):
    batches = [make_batch(step) for step in range(STEPS)]
    for (received, _), (expected, _) in zip(train(build(name), batches), train(PLAIN[name](), batches), strict=True):
        np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("name", ORACLES)
def test_a_gradient_by_the_whole_table_moves_every_row(name):
    """As with a regulariser, or with a table that is also a factor of a product."""
    whole = np.random.default_rng(5).normal(size=(ROWS, DIMENSION)).astype(np.float32)
    weights, oracle = make_weights(), ORACLES[name](make_weights()[1].numpy())
    update = WeightUpdate(build(name), weights)
    for step in range(5):
        update.apply([tf.constant(make_batch(step)[0]), tf.constant(whole)])
        oracle.step(dict(enumerate(whole.astype(np.float64))))
    np.testing.assert_allclose(weights[1].numpy(), oracle.weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arguments", [{"clipnorm": 0.5}, {"global_clipnorm": 0.5}, {"clipvalue": 0.1}])
@pytest.mark.parametrize("name", ORACLES)
def test_clipping_sees_the_sum_of_a_rows_gradients(name, arguments):
    """Two slices of one row that cancel each other are nothing, however long each of them is."""
    batches = [make_batch(step) for step in range(STEPS)]
    oracle = ORACLES[name](make_weights()[1].numpy())
    for (_, received), (dense, rows, values) in zip(train(build(name, **arguments), batches), batches, strict=True):
        by_row = summed(rows, values)
        norm = np.sqrt(sum(np.sum(one**2) for one in by_row.values()))
        if "clipvalue" in arguments:
            oracle.step({row: np.clip(one, -0.1, 0.1) for row, one in by_row.items()})
        else:
            whole = np.hypot(norm, np.linalg.norm(dense)) if "global_clipnorm" in arguments else norm
            oracle.step({row: one * min(1.0, 0.5 / whole) for row, one in by_row.items()})
        np.testing.assert_allclose(received, oracle.weight, rtol=1e-3, atol=1e-4)


@given(seed=st.integers(0, 2**32), count=st.integers(0, 300), rows=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_gradients_of_a_row_are_added_in_the_order_of_the_batch(seed, count, rows):
    """In single precision the order decides the last bits: NumPy adds one after another."""
    generator = np.random.default_rng(seed)
    indices = generator.integers(0, rows, count).astype(np.int32)
    values = (generator.normal(size=(count, 2)) * 10.0 ** generator.integers(-6, 6, (count, 1))).astype(np.float32)
    expected = np.zeros((rows, 2), np.float32)
    np.add.at(expected, indices, values)
    found = sum_repeated_rows(tf.IndexedSlices(tf.constant(values), tf.constant(indices)))
    assert sorted(found.indices.numpy()) == sorted(set(indices))
    np.testing.assert_array_equal(found.values.numpy(), expected[found.indices.numpy()])


def test_many_repetitions_are_the_same_bits_with_several_threads():
    generator = np.random.default_rng(3)
    indices = generator.integers(0, 5, 60_000).astype(np.int32)
    values = generator.normal(size=(len(indices), 16)).astype(np.float32)
    slices = tf.IndexedSlices(tf.constant(values), tf.constant(indices))
    add = tf.function(lambda: sum_repeated_rows(slices).values)
    first = add().numpy()
    expected = np.zeros((5, 16), np.float32)
    np.add.at(expected, indices, values)
    np.testing.assert_array_equal(first, expected[tf.unique(slices.indices)[0].numpy()])
    for _ in range(5):
        assert add().numpy().tobytes() == first.tobytes()


def test_memory_of_row_adagrad_is_that_of_one_more_column():
    optimizer, weights = RowAdagrad(), make_weights()
    optimizer.build(weights)
    shapes = [tuple(one.shape) for one in optimizer.variables if "accumulator" in one.path]
    assert shapes == [(4, 3), (ROWS, 1)]
    lazy = LazyAdam()
    lazy.build(weights)
    assert sum(tuple(one.shape) == (ROWS, DIMENSION) for one in lazy.variables) == 2


@pytest.mark.parametrize("argument", ["amsgrad", "weight_decay", "gradient_accumulation_steps"])
@pytest.mark.parametrize("kind", [LazyAdam, RowAdagrad])
def test_arguments_that_would_move_every_row_do_not_exist(kind, argument):
    with pytest.raises(TypeError, match=argument):
        kind(**{argument: 2})
