"""Base models of odd layers: both ways to compute their gradients equal a plain tape, and go on from a checkpoint."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.data.rows import InMemoryRows
from party.engine.forward_pass import ForwardPass
from party.engine.stored_pass import StoredPass
from party.engine.table_lookups import TableLookups
from party.engine.trainable_base_model import TrainableBaseModel
from party.runtime.checkpoint_files import pack_state, unpack_state
from tests.support.keras_models import (
    OPTIMIZERS,
    ROWS,
    arrays_of,
    assert_identical,
    assert_near,
    batches,
    draw,
    gather,
    named,
)

LENGTH, IDS, DIMENSION, UNITS = 4, 7, 6, 3
OPTIMIZER = "sgd"  # the bias of attention's keys has a gradient of rounding errors only, which Adam would magnify
SPECS = (HiddenSpec("deep", UNITS, Aggregation.CONCAT), HiddenSpec("shown", UNITS, Aggregation.CONCAT))
INPUTS = {"ids": np.random.default_rng(2).integers(0, IDS, (ROWS, LENGTH)).astype(np.int32)}
LAYOUT = CutLayout(SPECS)
# More than one batch under way is allowed here, not used.
WAYS = {
    "stored": {"depth": 1},
    "recomputed": {"depth": 2},
    "stored, for any number of rows": {"depth": 1, "varying": True},
}


class Signs(keras.layers.Layer):
    """The sign of its inputs, with the gradient of the identity."""

    def call(self, inputs):
        @ops.custom_gradient
        def sign(values):
            return ops.sign(values), lambda *arguments, upstream=None: arguments[0] if upstream is None else upstream

        return sign(inputs)


class Compiled(keras.layers.Layer):
    """A TensorFlow function of its own within the model."""

    def call(self, inputs):
        return tf.function(lambda values: tf.tanh(values) * values, autograph=False)(inputs)


class Checked(keras.layers.Layer):
    """Inputs as they are; their gradient passes through an operation that has a state."""

    def call(self, inputs):
        @tf.custom_gradient
        def same(values):
            def gradient(upstream):
                with tf.control_dependencies([tf.debugging.assert_less(tf.abs(upstream), 1e6)]):
                    return tf.identity(upstream)

            return tf.identity(values), gradient

        return same(inputs)


class FromPython(keras.layers.Layer):
    """A Python function within the model."""

    def call(self, inputs):
        return tf.ensure_shape(tf.py_function(lambda values: values * 2.0, [inputs], tf.float32), inputs.shape)


def recurrent(vectors):
    return keras.layers.GRU(UNITS, dropout=0.2, recurrent_dropout=0.2)(vectors)


def bidirectional(vectors):
    return keras.layers.Bidirectional(keras.layers.LSTM(UNITS, unroll=False))(vectors)


def attending(vectors):
    attended = keras.layers.MultiHeadAttention(2, UNITS, dropout=0.1)(vectors, vectors)
    return ops.mean(keras.layers.LayerNormalization()(attended + vectors), axis=1)


def convolved(vectors):
    return keras.layers.GlobalMaxPooling1D()(keras.layers.Conv1D(UNITS, 2, kernel_regularizer="l2")(vectors))


def tied(vectors):
    layer = keras.layers.Dense(DIMENSION, activation="relu")
    return ops.sum(layer(layer(vectors)), axis=1)


def signed(vectors):
    return Signs()(ops.sum(vectors, axis=1)) + keras.layers.BatchNormalization()(ops.max(vectors, axis=1))


def compiled(vectors):
    return Compiled()(ops.sum(vectors, axis=1))


def checked(vectors):
    return keras.layers.Dropout(0.2)(Checked()(ops.sum(vectors, axis=1)))


def from_python(vectors):
    return keras.layers.Dropout(0.2)(FromPython()(ops.sum(vectors, axis=1)))


LAYERS = (recurrent, bidirectional, attending, convolved, tied, signed, compiled, checked, from_python)


def make_model(layers):
    ids = keras.Input((LENGTH,), dtype="int32", name="ids")
    vectors = keras.layers.Embedding(IDS, DIMENSION)(ids)
    deep = keras.layers.Dense(UNITS)(layers(vectors))
    # In a graph that leaves "deep" out, TensorFlow computes it and its tanh at once, with other last bits.
    model = keras.Model({"ids": ids}, {"deep": deep, "shown": ops.tanh(deep)})
    draw(model)
    return model


def gradients_of(number, rows):
    generator = np.random.default_rng(100 + number)
    parts = [generator.normal(size=(len(rows), spec.units)).astype(np.float32) for spec in SPECS]
    return np.concatenate(parts, axis=1)


def tape_training(layers):
    model, optimizer = make_model(layers), OPTIMIZERS[OPTIMIZER]()
    optimizer.build(model.trainable_variables)
    for number, rows in enumerate(batches()):
        with tf.GradientTape() as tape:
            outputs, upstream = model(gather(INPUTS, rows), training=True), named(gradients_of(number, rows), LAYOUT)
            objective = tf.add_n([tf.reduce_sum(outputs[name] * upstream[name]) for name in upstream] + model.losses)
        weights = [weight.value for weight in model.trainable_variables]
        optimizer.apply(tape.gradient(objective, weights), model.trainable_variables)
    return arrays_of(model)


class Training:
    """A base model, trained batch by batch."""

    def __init__(self, layers, way):
        self.model, self.optimizer = make_model(layers), OPTIMIZERS[OPTIMIZER]()
        self.base = TrainableBaseModel(self.model, InMemoryRows(INPUTS), LAYOUT, self.optimizer, **WAYS[way])

    def run(self, order, first=0):
        """Trains on all batches but those before the first, whose hiddens are sent already where it is not 0."""
        if first == 0:
            self.base.forward(order[0])
        for number in range(first, len(order)):
            if number + 1 < len(order):
                self.base.backward_and_forward(gradients_of(number, order[number]), order[number + 1])
            else:
                self.base.backward(gradients_of(number, order[number]))
        return arrays_of(self.model, self.optimizer)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layers", LAYERS, ids=lambda layers: layers.__name__)
def test_weights_equal_those_of_a_tape(layers, way):
    training = Training(layers, way)
    training.run(batches())
    assert_near(arrays_of(training.model), tape_training(layers))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layers", LAYERS, ids=lambda layers: layers.__name__)
def test_a_checkpoint_between_the_passes_changes_no_bit(layers, way):
    order, stopped_after = batches(), 3
    before = Training(layers, way)
    before.base.forward(order[0])
    for number in range(stopped_after):
        before.base.backward_and_forward(gradients_of(number, order[number]), order[number + 1])
    after = Training(layers, way)
    after.base.set_state(unpack_state(pack_state(before.base.state())))
    assert_identical(after.run(order, stopped_after), Training(layers, way).run(order))


def test_a_checkpoint_holds_what_a_pass_started_from_and_not_what_it_computed():
    training = Training(recurrent, "stored")
    rows = batches()[0]
    training.base.forward(rows)
    stashes = [array for name, array in training.base.state().arrays.items() if "stash" in name]
    assert sum(array.size for array in stashes) == len(rows) + sum(
        int(np.prod(state.shape)) for state in training.model.non_trainable_variables
    )


def test_a_stash_of_what_a_pass_computed_holds_no_table():
    """Gradients of a lookup are slices: of a table, not even its shape is read."""
    ids = keras.Input((LENGTH,), dtype="int32", name="ids")
    rows_of_table = 5000
    vectors = ops.sum(keras.layers.Embedding(rows_of_table, DIMENSION)(ids), axis=1)
    hidden = keras.layers.Dense(UNITS)(keras.layers.Dense(UNITS, activation="relu")(vectors))
    lookups = TableLookups(keras.Model({"ids": ids}, {"deep": hidden}))
    stored = StoredPass(ForwardPass(lookups, CutLayout(SPECS[:1])))
    _, stash = tf.function(stored.forward, autograph=False)([tf.constant(INPUTS["ids"][batches()[0]])])
    assert len(stash) > 1
    assert max(tensor.shape.num_elements() for tensor in stash) < rows_of_table


@pytest.mark.parametrize("way", WAYS)
def test_a_model_without_weights_to_train_is_passed_through(way):
    ids = keras.Input((LENGTH,), dtype="int32", name="ids")
    frozen = keras.layers.Dense(UNITS, trainable=False)
    model = keras.Model({"ids": ids}, {"deep": frozen(ops.cast(ids, "float32"))})
    draw(model)
    before = arrays_of(model)
    base = TrainableBaseModel(model, InMemoryRows(INPUTS), CutLayout(SPECS[:1]), OPTIMIZERS["adam"](), **WAYS[way])
    order = batches()
    hiddens = [base.forward(order[0])]
    for number in range(2):
        gradient = gradients_of(number, order[number])[:, :UNITS]
        hiddens.append(base.backward_and_forward(gradient, order[number + 1]))
    for rows, received in zip(order, hiddens, strict=False):
        np.testing.assert_allclose(received, model(gather(INPUTS, rows))["deep"], rtol=1e-5)
    assert_identical(arrays_of(model), before)
