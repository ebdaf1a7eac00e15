"""Compiles a function of tensors into one operation for the shapes that it is called with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.engine.tensor_structure import ResultStructure, flatten, places

Result = TypeVar("Result")
Argument: TypeAlias = tf.Tensor | npt.NDArray[np.generic] | list[Any]
"""A tensor or an array, or a list of them."""
Specs: TypeAlias = Callable[[Sequence[Argument]], list[tf.TensorSpec]]
"""Gives the specs of all tensors and arrays of a call, for every number of rows."""


def any_rows(arguments: Sequence[Argument]) -> list[tf.TensorSpec]:
    """Specs of arguments whose first axis, where they have one, is the rows of a batch.

    Args:
        arguments: arguments of a compiled call.

    Returns:
        A spec per tensor or array, for any number of rows.
    """
    return [_any_rows(array) for array in flatten(arguments)]


def exact(arguments: Sequence[Argument]) -> list[tf.TensorSpec]:
    """Specs of arguments for the shapes that they have.

    Args:
        arguments: arguments of a compiled call.

    Returns:
        A spec per tensor or array.
    """
    return [_spec(array) for array in flatten(arguments)]


# Parties of one process trace one after another. While three did so at once, TensorFlow once ended the process. Nothing
# is lost: tracing holds Python's lock. A function that is traced may compile another one.
_TRACING = threading.RLock()


@dataclass(frozen=True)
class _Compiled(Generic[Result]):
    """One compilation.

    Attributes:
        function: the concrete TensorFlow function.
        captured: tensors and variables that it captures, in order.
        structure: structure of its result.
        types: dtypes of its outputs, in order.
    """

    function: Any
    captured: list[tf.Tensor]
    structure: ResultStructure[Result]
    types: list[tf.DType]


class CompiledCall(Generic[Result]):
    """Compiles a function for each batch size, and calls the compiled operation directly.

    With known shapes, everything that depends on them is computed once at compile time. A call invokes the underlying
    operation of the concrete function: binding names, casting and flattening arguments and packing results would take a
    quarter of a small training step while holding Python's global interpreter lock.

    The compilation that a batch uses depends on its sizes alone, so that a resumed run computes the same bits as one
    that never stopped. With specs for any number of rows, all batches use the only compilation, from the first one on.

    As in the training loop of Keras, AutoGraph is off: Python statements of a model do not become graph operations.

    Args:
        function: takes tensors and lists of tensors; returns a tensor, a dataclass of tensors and lists of tensors, or
            nothing.
        specs: gives the specs of the arguments for any number of rows; None compiles for each batch size.
    """

    def __init__(self, function: Callable[..., Result], specs: Specs | None = None) -> None:
        self._function = function
        self._specs = specs
        self._compiled: dict[tuple[int, ...], _Compiled[Result]] = {}

    def __call__(self, sizes: tuple[int, ...], *arguments: Argument) -> Result:
        """Calls the function.

        Args:
            sizes: sizes of the batches that the arguments belong to; they determine all shapes.
            arguments: arguments of the function; an array whose memory is aligned is not copied, and must not change.

        Returns:
            The result of the function.
        """
        compiled = self._compiled_for(sizes, arguments)
        outputs = tf.raw_ops.StatefulPartitionedCall(
            args=flatten(arguments) + compiled.captured, Tout=compiled.types, f=compiled.function
        )
        return compiled.structure.pack(outputs or [])

    def result_specs(self, *arguments: Argument) -> Result:
        """The specs of a call's result for any number of rows; compiles the function if no call did so before.

        Args:
            arguments: arguments of the function.

        Returns:
            A result of the function with a spec in place of each tensor.
        """
        compiled = self._compiled_for((), arguments)
        return compiled.structure.pack([_spec(output) for output in compiled.function.outputs])

    def _compiled_for(self, sizes: tuple[int, ...], arguments: Sequence[Argument]) -> _Compiled[Result]:
        key = sizes if self._specs is None else ()
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = self._compile(arguments)
        return compiled

    def _compile(self, arguments: Sequence[Argument]) -> _Compiled[Result]:
        structures: list[ResultStructure[Result]] = []
        argument_places = places(arguments)

        def flat_function(*tensors: tf.Tensor) -> list[tf.Tensor]:
            flat = list(tensors)
            structures.append(ResultStructure(self._function(*[flat[place] for place in argument_places])))
            return structures[-1].tensors

        specs = exact(arguments) if self._specs is None else self._specs(arguments)
        with _TRACING:
            function = tf.function(flat_function, autograph=False).get_concrete_function(*specs)
        types = [output.dtype for output in function.outputs]
        return _Compiled(function, list(function.captured_inputs), structures[-1], types)


def _spec(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec(array.shape, array.dtype)


def _any_rows(array: Any) -> tf.TensorSpec:
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype) if len(array.shape) else _spec(array)
