"""A value that is on its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

Value = TypeVar("Value")


class Deferred(Generic[Value]):
    """Computed when it is first asked for, once, whichever thread asks; asked again, it says the same.

    Args:
        compute: yields the value, or raises what every asker gets.
    """

    def __init__(self, compute: Callable[[], Value]) -> None:
        self._lock = threading.Lock()
        self._compute: Callable[[], Value] | None = compute
        self._value: Value
        self._error: Exception | None = None

    @classmethod
    def of(cls, value: Value) -> Self:
        """A value that is there already."""
        made = cls(lambda: value)
        made.result()
        return made

    @property
    def there(self) -> bool:
        """Whether asking takes no time."""
        return self._compute is None

    def give_up(self, error: Exception) -> None:
        """Leaves a value that nobody has asked for; waits for one that is being computed, and changes nothing then.

        Args:
            error: that whoever asks from now on gets.
        """
        with self._lock:
            if self._compute is not None:
                self._compute, self._error = None, error

    def result(self) -> Value:
        """The value.

        Raises:
            Exception: what computing it raised.
        """
        with self._lock:
            if self._compute is not None:
                try:
                    self._value = self._compute()
                except Exception as error:  # kept for whoever asks
                    self._error = error
                self._compute = None
            if self._error is not None:
                raise self._error
            return self._value
