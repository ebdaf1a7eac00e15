"""A parted call computes what its function computes whole, the urgent results first."""

import numpy as np
import pytest
import tensorflow as tf

from party.engine.parted_call import PartedCall

ROWS, UNITS = 6, 5
INPUTS = np.random.default_rng(3).normal(size=(ROWS, UNITS)).astype(np.float32)
CALLS = 3


def squares(inputs, weight):
    return tf.nn.relu(inputs @ weight) ** 2


def looped(inputs, weight):
    """A loop, whose gradient is another one over everything that this one left behind."""

    def step(state):
        return (state + inputs @ weight,)

    (last,) = tf.while_loop(lambda state: tf.reduce_max(state) < 50.0, step, [inputs])
    return last


@tf.function(autograph=False)
def nested(inputs, weight):
    return tf.tanh(inputs @ weight)


def looked_up(inputs, weight):
    return inputs * tf.reduce_sum(tf.gather(weight, [0, 2, 2, 1]))


def penalised(inputs, weight):
    return inputs @ weight + tf.reduce_sum(weight**2)


MODELS = (squares, looped, nested, looked_up, penalised)


def training_function(model, variable):
    """Gradients by the inputs are urgent; those by the weight are not."""

    def function(inputs):
        weight = variable.value()
        with tf.GradientTape() as tape:
            tape.watch([inputs, weight])
            outputs = model(inputs, weight)
        by_inputs, by_weight = tape.gradient(outputs, [inputs, weight])
        return [outputs, by_inputs], [by_weight]

    return function


def parts_of(results):
    return tf.nest.flatten(list(results), expand_composites=True)


class Kept:
    """Variables that take what a call has concluded with."""

    def __init__(self):
        self.variables = []

    def __call__(self, results):
        results = parts_of(results)
        if not self.variables:
            with tf.init_scope():
                self.variables += [tf.Variable(tf.zeros(one.shape, one.dtype)) for one in results]
        for variable, result in zip(self.variables, results, strict=True):
            variable.assign(result)

    @property
    def arrays(self):
        return [variable.numpy() for variable in self.variables]


def new_variable():
    return tf.Variable(np.random.default_rng(4).random((UNITS, UNITS)).astype(np.float32))


def assert_same_bits(results, expected):
    assert len(results) == len(expected)
    for result, other in zip(results, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(result), np.asarray(other))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: getattr(model, "__name__", "nested"))
def test_both_parts_together_are_the_function(model):
    function = training_function(model, new_variable())
    urgent, others = tf.function(function, autograph=False)(INPUTS)
    kept = Kept()
    call = PartedCall(function, kept)
    for _ in range(2):
        results, conclude = call((ROWS,), INPUTS)
        assert_same_bits(results, urgent)
        conclude()
        assert_same_bits(kept.arrays, parts_of(others))


def test_the_first_part_leaves_out_what_only_the_others_need():
    computed = []

    def noted(name, tensor):
        def note(array):
            computed.append(name)
            return array

        return tf.ensure_shape(tf.numpy_function(note, [tensor], tf.float32, stateful=False), tensor.shape)

    def function(inputs):
        shared = noted("shared", inputs)
        return [noted("urgent", shared)], [noted("other", shared)]

    kept = Kept()
    results, conclude = PartedCall(function, kept)((ROWS,), INPUTS)
    assert computed == ["shared", "urgent"]
    conclude()
    assert computed == ["shared", "urgent", "other"]
    assert_same_bits([*results, *kept.arrays], [INPUTS, INPUTS])


def test_results_come_from_the_variables_as_they_were():
    variable = tf.Variable(2.0)
    kept = Kept()
    results, conclude = PartedCall(lambda inputs: ([inputs + 1], [inputs * variable]), kept)((ROWS,), INPUTS)
    variable.assign(1000.0)
    conclude()
    assert_same_bits([*results, *kept.arrays], [INPUTS + 1, INPUTS * np.float32(2)])


def test_results_of_several_calls_are_concluded_in_any_order():
    kept = Kept()
    call = PartedCall(lambda inputs: ([inputs + 1], [inputs * 2]), kept)
    conclusions = [call((ROWS,), INPUTS * np.float32(number))[1] for number in range(CALLS)]
    for number, conclude in reversed(list(enumerate(conclusions))):
        conclude()
        assert_same_bits(kept.arrays, [INPUTS * np.float32(2 * number)])


def test_a_result_may_be_urgent_as_well_or_an_argument_or_a_constant():
    def function(inputs):
        doubled = inputs * 2
        return [doubled], [doubled, inputs, tf.constant([1.0, 2.0])]

    kept = Kept()
    results, conclude = PartedCall(function, kept)((ROWS,), INPUTS)
    conclude()
    assert_same_bits([*results, *kept.arrays], [INPUTS * 2, INPUTS * 2, INPUTS, [1.0, 2.0]])


def test_every_size_of_batch_is_compiled_for_itself():
    sizes = []
    function = training_function(squares, new_variable())

    def counted(inputs):
        sizes.append(inputs.shape[0])
        return function(inputs)

    call = PartedCall(counted, lambda results: None)
    for size in (ROWS, 2, ROWS, 2):
        results, conclude = call((size,), INPUTS[:size])
        conclude()
        assert results[0].shape == (size, UNITS)
    assert sizes == [ROWS, 2]
