"""A split base model trains as one that a plain gradient tape is kept open for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.data.rows import InMemoryRows
from party.engine.base_model import BaseModel
from party.engine.trainable_base_model import TrainableBaseModel
from tests.support.keras_models import (
    LAYOUT,
    OPTIMIZERS,
    SPECS,
    arrays_of,
    assert_identical,
    assert_near,
    batches,
    gather,
    make_base,
    make_inputs,
    matrix_of,
    named,
)

INPUTS = make_inputs()
SOURCE = InMemoryRows(INPUTS)
MODELS = {
    "plain": {},
    "dropout": {"dropout": 0.4},
    "batch normalization": {"batch_normalization": True},
    "regularisation": {"embedding_l2": 0.05},
    "everything": {"dropout": 0.4, "batch_normalization": True, "embedding_l2": 0.05},
}


def gradients_of(number, rows):
    """What the label party would send for a batch: any numbers, as long as both sides get the same."""
    generator = np.random.default_rng(100 + number)
    return matrix_of({spec.name: generator.normal(size=(len(rows), spec.units)).astype(np.float32) for spec in SPECS})


def split_training(section, make_optimizer):
    """Hiddens of every step, and all variables in the end, of the split model."""
    model, optimizer = make_base(**section), make_optimizer()
    base = TrainableBaseModel(model, SOURCE, LAYOUT, optimizer)
    order = batches()
    hiddens = [base.forward(order[0])]
    for number, rows in enumerate(order[:-1]):
        hiddens.append(base.backward_and_forward(gradients_of(number, rows), order[number + 1]))
    base.backward(gradients_of(len(order) - 1, order[-1]))
    return hiddens, arrays_of(model)


def tape_training(section, make_optimizer):
    """The same with Keras's own call and a tape, one batch after the other, nothing compiled."""
    model, optimizer = make_base(**section), make_optimizer()
    optimizer.build(model.trainable_variables)
    hiddens = []
    for number, rows in enumerate(batches()):
        upstream = named(gradients_of(number, rows))
        with tf.GradientTape() as tape:
            outputs = model(gather(INPUTS, rows), training=True)
            # The derivative of this sum by a hidden is that hidden's gradient.
            objective = tf.add_n([tf.reduce_sum(outputs[name] * upstream[name]) for name in upstream] + model.losses)
        weights = [weight.value for weight in model.trainable_variables]
        optimizer.apply(tape.gradient(objective, weights), model.trainable_variables)
        hiddens.append({name: output.numpy() for name, output in outputs.items()})
    return hiddens, arrays_of(model)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("section", MODELS)
def test_split_steps_equal_steps_on_a_tape(section, optimizer):
    split_hiddens, split_variables = split_training(MODELS[section], OPTIMIZERS[optimizer])
    tape_hiddens, tape_variables = tape_training(MODELS[section], OPTIMIZERS[optimizer])
    for split, tape in zip(split_hiddens, tape_hiddens, strict=True):
        np.testing.assert_allclose(split, matrix_of(tape), rtol=1e-4, atol=1e-5)
    assert_near(split_variables, tape_variables)


def pipelined_training(section, make_optimizer, depth):
    """As `split_training`, with so many batches under way."""
    model, optimizer = make_base(**section), make_optimizer()
    base = TrainableBaseModel(model, SOURCE, LAYOUT, optimizer, depth=depth)
    order = batches()
    hiddens = [base.forward(rows) for rows in order[:depth]]
    for number, rows in enumerate(order):
        if number + depth < len(order):
            hiddens.append(base.backward_and_forward(gradients_of(number, rows), order[number + depth]))
        else:
            base.backward(gradients_of(number, rows))
    return hiddens, arrays_of(model)


def open_tapes_training(section, make_optimizer, depth):
    """As `tape_training`: every tape stays open, with the weights that its forward pass read, until its turn comes."""
    model, optimizer = make_base(**section), make_optimizer()
    optimizer.build(model.trainable_variables)
    order, hiddens, tapes = batches(), [], []

    def forward(number):
        upstream = named(gradients_of(number, order[number]))
        with tf.GradientTape() as tape:
            outputs = model(gather(INPUTS, order[number]), training=True)
            objective = tf.add_n([tf.reduce_sum(outputs[name] * upstream[name]) for name in upstream] + model.losses)
        hiddens.append({name: output.numpy() for name, output in outputs.items()})
        tapes.append((tape, objective))

    for number in range(depth):
        forward(number)
    for number in range(len(order)):
        tape, objective = tapes[number]
        weights = [weight.value for weight in model.trainable_variables]
        optimizer.apply(tape.gradient(objective, weights), model.trainable_variables)
        if number + depth < len(order):
            forward(number + depth)
    return hiddens, arrays_of(model)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("section", MODELS)
@pytest.mark.parametrize("depth", [2, 4])
def test_gradients_are_taken_at_the_weights_that_a_batch_was_sent_with(section, optimizer, depth):
    split_hiddens, split_variables = pipelined_training(MODELS[section], OPTIMIZERS[optimizer], depth)
    tape_hiddens, tape_variables = open_tapes_training(MODELS[section], OPTIMIZERS[optimizer], depth)
    for split, tape in zip(split_hiddens, tape_hiddens, strict=True):
        np.testing.assert_allclose(split, matrix_of(tape), rtol=1e-4, atol=1e-5)
    assert_near(split_variables, tape_variables)


def test_one_call_for_update_and_forward_equals_two():
    order = batches()
    results = []
    for together in (True, False):
        model, optimizer = make_base(**MODELS["everything"]), OPTIMIZERS["adam"]()
        base = TrainableBaseModel(model, SOURCE, LAYOUT, optimizer)
        hiddens = [base.forward(order[0])]
        for number, rows in enumerate(order[:-1]):
            if together:
                hiddens.append(base.backward_and_forward(gradients_of(number, rows), order[number + 1]))
            else:
                base.backward(gradients_of(number, rows))
                hiddens.append(base.forward(order[number + 1]))
        results.append((arrays_of(model, optimizer), hiddens))
    assert_identical(results[0][0], results[1][0])
    assert_identical(results[0][1], results[1][1])


def test_no_compilation_reads_a_weight_after_its_own_update():
    """TensorFlow orders a graph anew with every compilation: a read that may move behind an update will, in some."""
    order = batches()
    results = []
    for _ in range(12):
        model = make_base(embedding_l2=0.05)
        base = TrainableBaseModel(model, SOURCE, LAYOUT, OPTIMIZERS["sgd"]())
        base.forward(order[0])
        hiddens = base.backward_and_forward(gradients_of(0, order[0]), order[1])
        results.append([*arrays_of(model), hiddens])
    for one in results[1:]:
        assert_identical(one, results[0])


def test_two_runs_are_identical_bit_by_bit():
    first, second = (split_training(MODELS["everything"], OPTIMIZERS["adam"]) for _ in range(2))
    assert_identical(first[1], second[1])
    for one, other in zip(first[0], second[0], strict=True):
        assert one.tobytes() == other.tobytes()


def test_regularisation_arrives_as_twice_lambda_w():
    """With gradients of zero, one step of SGD leaves w − η 2λw."""
    rate, weight = 0.1, 0.05
    model = make_base(embedding_l2=weight)
    before = model.get_layer("factors").embeddings.numpy().copy()
    dense = model.get_layer("dense").kernel.numpy().copy()
    base = TrainableBaseModel(model, SOURCE, LAYOUT, keras.optimizers.SGD(rate))
    rows = batches()[0]
    base.forward(rows)
    base.backward(np.zeros((len(rows), LAYOUT.columns), np.float32))
    after = model.get_layer("factors").embeddings.numpy()
    np.testing.assert_allclose(after, before * (1 - rate * 2 * weight), rtol=1e-6)
    np.testing.assert_array_equal(model.get_layer("dense").kernel.numpy(), dense)


def test_repeated_ids_are_squared_apart():
    """Keras's Adam sees the slices of a lookup: 2 and 3 on one row make 2² + 3², not (2 + 3)²."""
    model = make_base()
    optimizer = keras.optimizers.Adam(0.01)
    inputs = {"ids": np.array([[0, 1, 1]], np.int32), "numbers": np.zeros((1, 2), np.float32)}
    base = TrainableBaseModel(model, InMemoryRows(inputs), LAYOUT, optimizer)
    rows = np.array([0], np.int32)
    base.forward(rows)
    gradient = {"deep": np.zeros((1, 4), np.float32), "total": np.array([[2.0, 3.0]], np.float32)}
    base.backward(matrix_of(gradient))
    (velocity,) = [v for v in optimizer.variables if "factors" in v.path and v.path.endswith("velocity")]
    share = 1 - optimizer.beta_2
    np.testing.assert_allclose(velocity.numpy()[:2] / share, [[4, 9], [8, 18]], rtol=1e-4)


def test_states_advance_once_a_forward_pass_and_not_in_the_update():
    model = make_base(**MODELS["everything"])
    base = TrainableBaseModel(model, SOURCE, LAYOUT, OPTIMIZERS["sgd"]())
    rows = batches()[0]

    def states():
        return [state.numpy().copy() for state in model.non_trainable_variables]

    before = states()
    base.infer(rows)
    assert_identical(states(), before)
    base.forward(rows)
    after = states()
    assert len(after) == 3
    assert all((one != other).any() for one, other in zip(after, before, strict=True))
    base.backward(gradients_of(0, rows))
    assert_identical(states(), after)


def test_inference_changes_nothing_and_is_as_keras_predicts():
    model = make_base(**MODELS["everything"])
    base = BaseModel(model, SOURCE, LAYOUT)
    rows, before = batches()[1], arrays_of(model)
    hiddens = base.infer(rows)
    expected = model(gather(INPUTS, rows), training=False)
    assert (hiddens.dtype, hiddens.shape) == (np.float32, (len(rows), LAYOUT.columns))
    for spec in SPECS:
        np.testing.assert_allclose(named(hiddens)[spec.name], expected[spec.name].numpy(), rtol=1e-5, atol=1e-6)
    assert_identical(arrays_of(model), before)


def test_inference_between_steps_does_not_disturb_them():
    results = []
    for inferences in (0, 2):
        model, optimizer = make_base(**MODELS["everything"]), OPTIMIZERS["adam"]()
        base = TrainableBaseModel(model, SOURCE, LAYOUT, optimizer)
        for number, rows in enumerate(batches()):
            base.forward(rows)
            for _ in range(inferences):
                base.infer(np.arange(10, dtype=np.int32))
            base.backward(gradients_of(number, rows))
        results.append(arrays_of(model, optimizer))
    assert_identical(*results)


def test_update_without_a_forward_pass_is_refused():
    base = TrainableBaseModel(make_base(), SOURCE, LAYOUT, OPTIMIZERS["sgd"]())
    rows = batches()[0]
    with pytest.raises(RuntimeError, match="no forward pass is waiting"):
        base.backward(gradients_of(0, rows))
    base.forward(rows)
    base.backward(gradients_of(0, rows))
    with pytest.raises(RuntimeError, match="no forward pass is waiting"):
        base.backward_and_forward(gradients_of(0, rows), rows)
