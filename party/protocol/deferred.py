"""A value that is computed later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

Value = TypeVar("Value")


class Deferred(Generic[Value]):
    """A value that is computed once, when a thread first asks for it; later calls return the same result.

    Args:
        compute: computes the value; what it raises is raised by every call of `result`.
    """

    def __init__(self, compute: Callable[[], Value]) -> None:
        self._lock = threading.Lock()
        self._compute: Callable[[], Value] | None = compute
        self._value: Value
        self._error: Exception | None = None

    @classmethod
    def of(cls, value: Value) -> Self:
        """Wraps a value that is known already."""
        made = cls(lambda: value)
        made.result()
        return made

    @property
    def is_ready(self) -> bool:
        """Whether `result` returns or raises at once."""
        return self._compute is None

    def abandon(self, error: Exception) -> None:
        """Prevents a computation that has not begun; waits for one that has, and then changes nothing.

        Args:
            error: the error that `result` raises from now on.
        """
        with self._lock:
            if self._compute is not None:
                self._compute, self._error = None, error

    def result(self) -> Value:
        """Returns the value, computing it if necessary.

        Raises:
            Exception: computing the value raised it.
        """
        with self._lock:
            if self._compute is not None:
                try:
                    self._value = self._compute()
                except Exception as error:  # stored, and raised below and by later calls
                    self._error = error
                self._compute = None
            if self._error is not None:
                raise self._error
            return self._value
