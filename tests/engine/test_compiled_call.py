"""A compiled call returns what its function returns, with the names of its results."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from party.engine.compiled_call import CompiledCall

ONE = np.arange(3, dtype=np.float32)


@dataclass(frozen=True)
class Named:
    """A result of every kind of field."""

    total: tf.Tensor
    doubled: list[tf.Tensor]
    nothing: list[tf.Tensor]
    last: tf.Tensor


def named(first, others):
    return Named(total=first + tf.add_n(others), doubled=[2 * one for one in others], nothing=[], last=-first)


@pytest.mark.parametrize("count", [1, 3])
def test_results_keep_their_names(count):
    call = CompiledCall(named)
    for _ in range(2):
        result = call((3, count), ONE, [ONE * number for number in range(1, count + 1)])
        np.testing.assert_array_equal(result.total, ONE * (1 + sum(range(1, count + 1))))
        assert len(result.doubled) == count
        for number, doubled in enumerate(result.doubled, 1):
            np.testing.assert_array_equal(doubled, 2 * number * ONE)
        assert result.nothing == []
        np.testing.assert_array_equal(result.last, -ONE)


def test_a_result_may_be_a_tensor_or_a_list_or_nothing():
    variable = tf.Variable(ONE)
    np.testing.assert_array_equal(CompiledCall(lambda one: one + 1)((3,), ONE), ONE + 1)
    (only,) = CompiledCall(lambda one: [one + 1])((3,), ONE)
    np.testing.assert_array_equal(only, ONE + 1)

    def assign(one):
        variable.assign(one * 5)

    assert CompiledCall(assign)((3,), ONE) is None
    np.testing.assert_array_equal(variable, ONE * 5)


def test_a_function_is_traced_once_for_each_size():
    traced = []

    def function(one, others):
        traced.append((one.shape[0], len(others)))
        return one

    call = CompiledCall(function)
    for size in (3, 2, 3, 2):
        call((size,), ONE[:size], [ONE[:size], ONE[:size]])
    assert traced == [(3, 2), (2, 2)]
    assert call((3,), ONE.astype(np.float32), [ONE, ONE]).dtype == tf.float32


def test_types_stay_as_they_are():
    call = CompiledCall(lambda one, other: [one, other])
    one, other = call((3,), ONE, ONE.astype(np.int32))
    assert (one.dtype, other.dtype) == (tf.float32, tf.int32)
