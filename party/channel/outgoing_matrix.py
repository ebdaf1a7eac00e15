"""A matrix as it passes through the outgoing chain."""

from __future__ import annotations

from collections.abc import Callable

from party.cut.hidden import FloatArray


class OutgoingMatrix:
    """The values of a matrix and, once a codec has encoded them, its message.

    Args:
        values: float32 (rows, columns), or a function that computes them when they are first needed.
        message: a serialized Tensor; None before a codec has encoded it.
    """

    def __init__(self, values: FloatArray | Callable[[], FloatArray], message: bytes | None = None) -> None:
        self._values = values
        self.message = message

    @property
    def values(self) -> FloatArray:
        """The values as the receiver will decode them, given the stages so far."""
        if callable(self._values):
            self._values = self._values()
        return self._values
