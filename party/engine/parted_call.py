"""Compiles a function of tensors into two operations: the urgent results, and the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import tensorflow as tf

from party.engine.compiled_call import Argument, CompiledCall
from party.engine.remainder import Gradient, Remainder
from party.engine.tensor_structure import ResultStructure

Urgent = TypeVar("Urgent")
Conclusion = Callable[[list[Gradient]], None]


class PartedCall(Generic[Urgent]):
    """Compiles a function in two parts for each batch size.

    TensorFlow chooses the order in which one operation computes its results. Here the first operation computes the
    urgent results and, apart from stateful operations, nothing that they do not need; the second computes the other
    results and what follows from them. What both need is computed once: the first one returns the tensors at the
    boundary.

    Args:
        function: takes tensors and lists of tensors; returns its urgent result, as `CompiledCall` allows it, and the
            other results.
        conclude: function that processes the other results.
    """

    def __init__(self, function: Callable[..., tuple[Urgent, Sequence[Gradient]]], conclude: Conclusion) -> None:
        self._function = function
        self._conclude = conclude
        self._compiled: dict[tuple[int, ...], _Parts[Urgent]] = {}

    def __call__(self, sizes: tuple[int, ...], *arguments: Argument) -> tuple[Urgent, Callable[[], None]]:
        """Computes the urgent result.

        Args:
            sizes: sizes of the batches that the arguments belong to; they determine all shapes.
            arguments: arguments of the function; an array whose memory is aligned is not copied, and must not change.

        Returns:
            The urgent result, and a function that concludes the call: whenever it is called, the other results are
            computed from the values that the variables had in the first part.
        """
        parts = self._compiled.get(sizes)
        if parts is None:
            parts = self._compiled[sizes] = _Parts(self._function, self._conclude)
        return parts(*arguments)


@dataclass(frozen=True)
class _FirstResult:
    """The result of the first operation."""

    urgent: list[tf.Tensor]
    intermediates: list[tf.Tensor]


class _Parts(Generic[Urgent]):
    """Both operations for one batch size."""

    def __init__(self, function: Callable[..., tuple[Urgent, Sequence[Gradient]]], conclude: Conclusion) -> None:
        self._function = function
        self._conclude = conclude
        self._first = CompiledCall(self._trace_first)
        self._second = CompiledCall(self._trace_second)
        self._traced: tuple[ResultStructure[Urgent], Remainder] | None = None

    def __call__(self, *arguments: Argument) -> tuple[Urgent, Callable[[], None]]:
        result = self._first((), *arguments)
        structure, _ = self._require_trace()

        def conclude() -> None:
            self._second((), result.intermediates)

        return structure.pack(result.urgent), conclude

    def _trace_first(self, *arguments: tf.Tensor | list[tf.Tensor]) -> _FirstResult:
        """Traces the whole function; TensorFlow prunes what is not returned."""
        urgent, others = self._function(*arguments)
        structure = ResultStructure(urgent)
        remainder = Remainder(structure.tensors, others)
        self._traced = structure, remainder
        return _FirstResult(structure.tensors, remainder.intermediates)

    def _trace_second(self, intermediates: list[tf.Tensor]) -> None:
        _, remainder = self._require_trace()
        self._conclude(remainder(intermediates))

    def _require_trace(self) -> tuple[ResultStructure[Urgent], Remainder]:
        if self._traced is None:
            raise RuntimeError("the second part was called before the first")
        return self._traced
