"""A function of tensors as one operation, compiled for the shapes that it is called with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf


@dataclass(frozen=True)
class _Compiled:
    """One compilation.

    Attributes:
        function: the concrete function.
        captured: tensors and variables that it takes besides its arguments, in order.
        types: of its outputs, in order.
    """

    function: Any
    captured: list[tf.Tensor]
    types: list[tf.DType]


class CompiledCall:
    """Compiles a function anew for every size of batch, and starts it without more ado.

    Where shapes are known, what depends on them is computed once, in place of in each call. A call goes straight to
    the operation that a concrete function is called by in the end: to bind names, cast and flatten arguments and pack
    results takes a quarter of a small training step, with Python's lock held.

    Which compilation a batch meets depends on its sizes alone, so that a run that goes on computes the bits of one
    that never stopped.

    As in Keras' own training loop, Python statements of a model are not made graph operations: AutoGraph stays off.

    Args:
        function: of tensors, to a flat sequence of tensors or to nothing.
    """

    def __init__(self, function: Callable[..., Sequence[tf.Tensor] | None]) -> None:
        self._function = tf.function(function, autograph=False)
        self._compiled: dict[tuple[int, ...], _Compiled] = {}

    def __call__(self, sizes: tuple[int, ...], *tensors: tf.Tensor | npt.NDArray[np.generic]) -> list[tf.Tensor]:
        """Calls the function.

        Args:
            sizes: of the batches that the tensors belong to; they decide all shapes.
            tensors: the arguments; an array is not copied where its memory is aligned, and must not change.

        Returns:
            What the function returns.
        """
        compiled = self._compiled.get(sizes)
        if compiled is None:
            compiled = self._compiled[sizes] = self._compile(tensors)
        outputs = tf.raw_ops.StatefulPartitionedCall(
            args=[*tensors, *compiled.captured], Tout=compiled.types, f=compiled.function
        )
        return outputs or []

    def _compile(self, tensors: Sequence[tf.Tensor | npt.NDArray[np.generic]]) -> _Compiled:
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
        function = self._function.get_concrete_function(*specs)
        return _Compiled(function, list(function.captured_inputs), [output.dtype for output in function.outputs])
