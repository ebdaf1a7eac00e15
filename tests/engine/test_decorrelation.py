"""The penalty in training: the weights of a plain tape, the same bits after a checkpoint, and what it hinders."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.data.rows import InMemoryRows
from party.engine.decorrelation import GROUPS, SAMPLE_ROWS, Decorrelation
from party.engine.trainable_base_model import TrainableBaseModel
from party.models.distance_correlation import distance_correlation
from party.runtime.checkpoint_files import pack_state, unpack_state
from tests.support.keras_models import OPTIMIZERS, arrays_of, assert_identical, assert_near, draw

ROWS, UNITS, WEIGHT = 400, 4, 0.5
LAYOUT = CutLayout((HiddenSpec("deep", UNITS, Aggregation.CONCAT),))
GENERATOR = np.random.default_rng(4)
INPUTS = {
    "ids": GENERATOR.integers(0, 9, (ROWS, 2)).astype(np.int32),
    "numbers": GENERATOR.normal(size=(ROWS, 3)).astype(np.float32),
}
CODES = np.stack([INPUTS["ids"][:, 0] % 2, INPUTS["ids"][:, 1] % 3], axis=1).astype(np.int32)
ORDER = [GENERATOR.permutation(ROWS)[:size].astype(np.int32) for size in (SAMPLE_ROWS + 30, 20, SAMPLE_ROWS + 30, 20)]
GRADIENTS = [GENERATOR.normal(size=(len(rows), UNITS)).astype(np.float32) / len(rows) for rows in ORDER]


class Recomputed(keras.layers.Layer):
    """A Python function within the model: its gradients have a state, so that the pass is computed again."""

    def call(self, inputs):
        return tf.ensure_shape(tf.py_function(lambda values: values * 2.0, [inputs], tf.float32), inputs.shape)


def make_model(recomputes=False):
    ids, numbers = keras.Input((2,), dtype="int32", name="ids"), keras.Input((3,), name="numbers")
    vectors = keras.layers.Embedding(9, 8)(ids)
    hidden = ops.concatenate([ops.reshape(vectors, (-1, 16)), numbers], axis=1)
    hidden = keras.layers.Dense(8, activation="tanh", kernel_regularizer="l2")(hidden)
    hidden = keras.layers.Dropout(0.1)(Recomputed()(hidden) if recomputes else hidden)
    model = keras.Model({"ids": ids, "numbers": numbers}, {"deep": keras.layers.Dense(UNITS)(hidden)})
    draw(model)
    return model


class Training:
    """A base model that is trained with or without the penalty."""

    def __init__(self, weight=WEIGHT, depth=1, recomputes=False):
        penalty = None if weight is None else Decorrelation(InMemoryRows({GROUPS: CODES}), weight)
        self.model, self.optimizer = make_model(recomputes), OPTIMIZERS["sgd"]()
        self.base = TrainableBaseModel(
            self.model, InMemoryRows(INPUTS), LAYOUT, self.optimizer, depth=depth, decorrelation=penalty
        )

    def run(self, first=0, last=None):
        if first == 0:
            self.base.forward(ORDER[0])
        for number in range(first, last or len(ORDER)):
            if number + 1 < len(ORDER):
                self.base.backward_and_forward(GRADIENTS[number], ORDER[number + 1])
            else:
                self.base.backward(GRADIENTS[number])
        return arrays_of(self.model, self.optimizer)


def tape_training(weight):
    model, optimizer = make_model(), OPTIMIZERS["sgd"]()
    optimizer.build(model.trainable_variables)
    for rows, upstream in zip(ORDER, GRADIENTS, strict=True):
        with tf.GradientTape() as tape:
            hiddens = model({name: tf.constant(array[rows]) for name, array in INPUTS.items()}, training=True)["deep"]
            objective = tf.add_n([tf.reduce_sum(hiddens * upstream), *model.losses])
            sample = rows[:256]
            objective += weight * distance_correlation(hiddens[:256], tf.constant(CODES[sample]))
        weights = [variable.value for variable in model.trainable_variables]
        optimizer.apply(tape.gradient(objective, weights), model.trainable_variables)
    return arrays_of(model)


@pytest.mark.parametrize(("recomputes", "depth"), [(False, 1), (False, 2), (True, 1)])
def test_weights_equal_those_of_a_tape(recomputes, depth):
    training = Training(depth=depth, recomputes=recomputes)
    training.run()
    if not recomputes:
        assert_near(arrays_of(training.model), tape_training(WEIGHT))
    without = Training(None, depth=depth, recomputes=recomputes)
    without.run()
    differences = zip(arrays_of(training.model), arrays_of(without.model), strict=True)
    assert (
        max(float(np.abs(np.asarray(one, float) - np.asarray(other, float)).max()) for one, other in differences) > 1e-4
    )


@pytest.mark.parametrize("depth", [1, 2])
def test_a_checkpoint_between_the_passes_changes_no_bit(depth):
    before = Training(depth=depth)
    before.run(last=2)
    state = unpack_state(pack_state(before.base.state()))
    after = Training(depth=depth)
    after.base.set_state(state)
    assert_identical(after.run(first=2), Training(depth=depth).run())


def test_a_checkpoint_holds_no_groups():
    training = Training()
    training.base.forward(ORDER[0])
    for array in training.base.state().arrays.values():
        assert not np.array_equal(array, CODES[ORDER[0][:SAMPLE_ROWS]])


def test_a_local_step_has_the_penalty_too():
    moved = {}
    for weight in (None, WEIGHT):
        training = Training(weight)
        hiddens = training.base.forward(ORDER[0])
        training.base.backward(GRADIENTS[0])
        before = arrays_of(training.model)
        training.base.local_step(ORDER[0], 7, hiddens=hiddens, gradients=np.zeros_like(GRADIENTS[0]))
        after = arrays_of(training.model)
        moved[weight] = [
            np.asarray(one, float) - np.asarray(other, float) for one, other in zip(after, before, strict=True)
        ]
    assert any(np.abs(one - other).max() > 1e-5 for one, other in zip(moved[None], moved[WEIGHT], strict=True))


def test_hiddens_outside_of_training_know_no_penalty():
    training = Training()
    rows = ORDER[1]
    expected = training.model({name: tf.constant(array[rows]) for name, array in INPUTS.items()})["deep"]
    np.testing.assert_allclose(training.base.infer(rows), expected, rtol=1e-5, atol=1e-6)


def ridge_probe(hiddens, secret, known):
    """AUC of a linear probe for a binary column on the rows that its attacker did not know."""
    design = np.concatenate([hiddens, np.ones((len(hiddens), 1))], axis=1)
    train, rest = design[:known], design[known:]
    weights = np.linalg.solve(
        train.T @ train + 0.01 * known * np.eye(design.shape[1]), train.T @ (secret[:known] - 0.5)
    )
    scores, truth = rest @ weights, secret[known:]
    return float((scores[truth == 1][:, None] > scores[truth == 0][None, :]).mean())


def probed(weight, pull, steps=200):
    """The probe's AUC, and the loss of a task that needs the first hidden alone; a pull draws the column into another.

    A weak pull is that of a task to which the column is worth a little; a strong one is a label party that asks for it.
    """
    training = Training(weight)
    rows = np.arange(ROWS, dtype=np.int32)
    target = np.sign(INPUTS["numbers"][:, 0])
    hiddens = training.base.forward(rows)
    for _ in range(steps):
        gradients = np.zeros((ROWS, UNITS), np.float32)
        gradients[:, 0] = (hiddens[:, 0] - target) / ROWS
        gradients[:, 1] = pull * (hiddens[:, 1] - 2.0 * CODES[:, 0]) / ROWS
        hiddens = training.base.backward_and_forward(gradients, rows)
    sent = training.base.infer(rows)
    return ridge_probe(sent, CODES[:, 0], known=100), float(np.square(sent[:, 0] - target).mean())


def test_it_lowers_what_a_probe_reads_off_the_hiddens():
    open_auc, open_loss = probed(None, pull=0.2)
    hindered_auc, hindered_loss = probed(1.0, pull=0.2)
    assert open_auc > 0.9
    assert hindered_auc < 0.75
    assert hindered_loss < 1.3 * open_loss


def test_it_does_not_stop_a_label_party_that_asks_for_the_column():
    """So it is called a hindrance: the same weight, and gradients of an attribute head instead of the task's."""
    assert probed(1.0, pull=1.0)[0] > 0.99
