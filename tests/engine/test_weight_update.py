"""Dense weights joined to one vector get the updates that Keras gives them one by one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.engine.weight_update import WeightUpdate
from tests.support.keras_models import OPTIMIZERS

SHAPES = ((17, 33), (33,), (33, 5), (5,), (1,))
TABLE_ROWS, STEPS = 9, 40


def make_weights():
    generator = np.random.default_rng(3)
    dense = [keras.Variable(generator.normal(size=shape).astype(np.float32), name="kernel") for shape in SHAPES]
    table = keras.Variable(generator.normal(size=(TABLE_ROWS, 4)).astype(np.float32), name="embeddings")
    return [dense[0], table, *dense[1:]]


def gradients_of(step):
    """Of weights of very different sizes, and slices of a table that name a row twice."""
    generator = np.random.default_rng(step)
    dense = [
        tf.constant((10.0**-place * generator.normal(size=s)).astype(np.float32)) for place, s in enumerate(SHAPES)
    ]
    rows = tf.constant(generator.integers(0, TABLE_ROWS, 6).astype(np.int32))
    values = tf.constant(generator.normal(size=(6, 4)).astype(np.float32))
    return [dense[0], tf.IndexedSlices(values, rows, (TABLE_ROWS, 4)), *dense[1:]]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_joined_update_equals_keras_weight_by_weight(optimizer):
    joined, apart = make_weights(), make_weights()
    update = WeightUpdate(OPTIMIZERS[optimizer](), joined)
    keras_optimizer = OPTIMIZERS[optimizer]()
    keras_optimizer.build(apart)
    for step in range(STEPS):
        update.apply(gradients_of(step))
        keras_optimizer.apply(gradients_of(step), apart)
    initial = make_weights()
    for one, other, before in zip(joined, apart, initial, strict=True):
        # Where a vector of the machine ends inside of a weight, the last bit may be rounded otherwise.
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=2e-6, atol=1e-6)
        assert (one.numpy() != before.numpy()).any()


@pytest.mark.parametrize("kept", [slice(0, 1), slice(1, 2)], ids=["dense", "table"])
def test_only_tables_or_only_dense_weights_will_do(kept):
    (weight,), (gradient,) = make_weights()[kept], gradients_of(0)[kept]
    before = weight.numpy().copy()
    WeightUpdate(keras.optimizers.SGD(0.1), [weight]).apply([gradient])
    expected = before - 0.1 * tf.convert_to_tensor(gradient).numpy()
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-5, atol=1e-6)
