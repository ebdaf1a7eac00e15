"""A function of tensors as two operations: what somebody waits for, and what can follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.models.compiled_call import CompiledCall
from party.models.remainder import Remainder, Result

Function = Callable[..., tuple[Sequence[tf.Tensor], Sequence[Result]]]
Conclusion = Callable[[list[Result]], None]


class PartedCall:
    """Compiles a function in two parts, anew for every size of batch.

    TensorFlow decides in which order one operation computes its results. Of two operations, the first computes the
    urgent results and, but for what has a state, nothing that they do not need; the second has the other results, and
    what is done with them. What both need is computed once: the first hands on the tensors at the boundary.

    Args:
        function: of tensors, to its urgent results and to the others.
        conclude: what is done with the others.
    """

    def __init__(self, function: Function, conclude: Conclusion) -> None:
        self._function = function
        self._conclude = conclude
        self._compiled: dict[tuple[int, ...], _Parts] = {}

    def __call__(
        self, sizes: tuple[int, ...], *tensors: tf.Tensor | npt.NDArray[np.generic]
    ) -> tuple[list[tf.Tensor], Callable[[], None]]:
        """Computes the urgent results.

        Args:
            sizes: of the batches that the tensors belong to; they decide all shapes.
            tensors: the arguments; an array is not copied where its memory is aligned, and must not change.

        Returns:
            The urgent results, and what concludes the call: whenever that is called, the other results come from the
            variables as the first part met them.
        """
        parts = self._compiled.get(sizes)
        if parts is None:
            parts = self._compiled[sizes] = _Parts(self._function, self._conclude)
        return parts(*tensors)


class _Parts:
    """Both operations, for one size of batch."""

    def __init__(self, function: Function, conclude: Conclusion) -> None:
        self._function = function
        self._conclude = conclude
        self._first = CompiledCall(self._trace_first)
        self._second = CompiledCall(self._trace_second)
        self._urgent = 0
        self._remainder: Remainder | None = None

    def __call__(self, *tensors: tf.Tensor | npt.NDArray[np.generic]) -> tuple[list[tf.Tensor], Callable[[], None]]:
        results = self._first((), *tensors)
        left_behind = results[self._urgent :]

        def conclude() -> None:
            self._second((), *left_behind)

        return results[: self._urgent], conclude

    def _trace_first(self, *tensors: tf.Tensor) -> list[tf.Tensor]:
        """All of the function; TensorFlow leaves out of the operation what is not returned."""
        urgent, others = self._function(*tensors)
        self._urgent = len(urgent)
        self._remainder = Remainder(urgent, others)
        return [*urgent, *self._remainder.left_behind]

    def _trace_second(self, *left_behind: tf.Tensor) -> None:
        if self._remainder is None:
            raise RuntimeError("a second part is called before the first")
        self._conclude(self._remainder(left_behind))
