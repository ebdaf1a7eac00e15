"""Keras models with everything that a base model may contain, and training with a plain tape."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.models.initial_weights import SEED_STATE

ROWS, IDS, SLOTS = 30, 5, 3
SPECS = (HiddenSpec("deep", 4, Aggregation.CONCAT), HiddenSpec("total", 2, Aggregation.SUM))
LAYOUT = CutLayout(SPECS)
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adagrad": lambda: keras.optimizers.Adagrad(0.05),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
}


def make_inputs():
    """Makes inputs with few distinct ids, so that every batch holds some of them twice."""
    generator = np.random.default_rng(2)
    ids = generator.integers(0, IDS, (ROWS, SLOTS)).astype(np.int32)
    return {"ids": ids, "numbers": generator.normal(size=(ROWS, 2)).astype(np.float32)}


def make_base(dropout=0.0, batch_normalization=False, embedding_l2=0.0, name="base"):
    """Builds a base model with an embedding, random weights, and the requested extras."""
    ids, numbers = keras.Input((SLOTS,), dtype="int32", name="ids"), keras.Input((2,), name="numbers")
    regularizer = keras.regularizers.L2(embedding_l2) if embedding_l2 else None
    factors = keras.layers.Embedding(IDS, 2, embeddings_regularizer=regularizer, name="factors")(ids)
    hidden = ops.concatenate([ops.reshape(factors, (-1, 2 * SLOTS)), numbers], axis=1)
    hidden = keras.layers.Dense(8, activation="tanh", name="dense")(hidden)
    if batch_normalization:
        hidden = keras.layers.BatchNormalization(name="normalization")(hidden)
    if dropout:
        hidden = keras.layers.Dropout(dropout, name="dropout")(hidden)
    outputs = {"deep": keras.layers.Dense(4, name="deep")(hidden), "total": ops.sum(factors, axis=1)}
    model = keras.Model({"ids": ids, "numbers": numbers}, outputs, name=name)
    draw(model)
    return model


def make_fuse(width, dropout=0.0, l2=0.0):
    deep, total = keras.Input((width,), name="deep"), keras.Input((2,), name="total")
    regularizer = keras.regularizers.L2(l2) if l2 else None
    dense = keras.layers.Dense(6, activation="tanh", kernel_regularizer=regularizer, name="dense")
    hidden = dense(ops.concatenate([deep, total], axis=1))
    if dropout:
        hidden = keras.layers.Dropout(dropout, name="dropout")(hidden)
    model = keras.Model(
        {"deep": deep, "total": total}, {"liked": keras.layers.Dense(1, name="logit")(hidden)}, name="fuse"
    )
    draw(model)
    return model


def draw(model, seed=7):
    generator = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        weight.assign(generator.normal(0, 0.5, weight.shape))
    for state in model.non_trainable_variables:
        if state.name == SEED_STATE:
            state.assign(generator.integers(0, 2**32, state.shape))


def batches(count=6, size=8, fewer=3):
    """Draws batches, of which every third has fewer rows; each size costs a compilation."""
    generator = np.random.default_rng(3)
    sizes = [size if number % 3 else size - fewer for number in range(count)]
    return [generator.permutation(ROWS)[:size].astype(np.int32) for size in sizes]


def gather(inputs, rows):
    return {name: tf.constant(array[rows]) for name, array in inputs.items()}


def matrix_of(outputs, layout=LAYOUT):
    """Joins named hiddens to the matrix that crosses the cut."""
    return np.concatenate([outputs[spec.name] for spec in layout.specs], axis=1)


def named(matrix, layout=LAYOUT):
    """Splits a matrix into views by the names of its hiddens."""
    ends = np.cumsum(layout.units)
    slices = {spec.name: slice(end - spec.units, end) for spec, end in zip(layout.specs, ends, strict=True)}
    return {name: matrix[:, columns] for name, columns in slices.items()}


def arrays_of(*parts):
    """Returns all variables of models and optimizers, for comparison bit by bit."""
    return [variable.numpy().copy() for part in parts for variable in part.variables]


def assert_identical(received, expected):
    assert len(received) == len(expected)
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_near(received, expected):
    assert len(received) == len(expected)
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
