"""The messages of one kind between two parties: how many there are, and in which order they go."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from itertools import islice

from party.alignment.pool import outcome
from party.errors import AlignmentError, SessionError

CHUNKS_AHEAD_PER_WORKER = 4


def chunk_count(rows: int, chunk_rows: int) -> int:
    """How many chunks so many rows make."""
    return -(-rows // chunk_rows)


def rows_of_chunk(rows: int, chunk_rows: int, index: int) -> int:
    """How many of all rows are in a chunk: `chunk_rows`, and what is left in the last one."""
    return min(chunk_rows, rows - index * chunk_rows)


def finished(message: bytes) -> Future[bytes]:
    """Wraps a message that needs no worker."""
    future: Future[bytes] = Future()
    future.set_result(message)
    return future


class Outgoing:
    """Messages that are asked for in order; only the last one is kept, to be asked for again.

    Args:
        total: how many messages there are.
        where: kind, peer and dataset, for errors.
        upcoming: the messages, submitted as they are drawn; empty where they come by `add`.
        ahead: how many are drawn before they are asked for.
    """

    def __init__(self, total: int, where: str, upcoming: Iterable[Future[bytes]] = (), ahead: int = 1) -> None:
        self.total = total
        self._where = where
        self._upcoming = iter(upcoming)
        self._ahead = ahead
        self._pending: deque[Future[bytes]] = deque()
        self._next = 0
        self._last = b""
        self._draw()

    def add(self, message: Future[bytes]) -> None:
        """Appends the next message."""
        self._pending.append(message)

    def take(self, index: int) -> bytes:
        """Waits for a message.

        Args:
            index: the next one, or the last one again.

        Returns:
            The message; the same bytes for the same index.

        Raises:
            SessionError: another index, or a message whose cause has not come yet.
            AlignmentError: the message answers one that cannot be answered.
            InternalError: a worker process died.
        """
        if self._next > 0 and index == self._next - 1:
            return self._last
        if index != self._next or index >= self.total:
            raise SessionError(
                "a message asked for out of order",
                where=self._where,
                expected=f"message {min(self._next, self.total - 1)} of {self.total}",
                received=f"message {index}",
            )
        if not self._pending:
            raise SessionError(f"message {index} is asked for too early", where=self._where)
        self._last = outcome(self._pending[0])
        self._pending.popleft()
        self._next += 1
        self._draw()
        return self._last

    def close(self) -> None:
        """Drops what was not asked for yet."""
        self._upcoming = iter(())
        for future in self._pending:
            future.cancel()

    def _draw(self) -> None:
        self._pending.extend(islice(self._upcoming, max(0, self._ahead - len(self._pending))))


class Incoming:
    """Messages that come in order, as many as were declared.

    Args:
        total: how many messages there are.
        where: kind, peer and dataset, for errors.
    """

    def __init__(self, total: int, where: str) -> None:
        self.where = where
        self._total = total
        self._next = 0

    @property
    def complete(self) -> bool:
        """Whether all messages came."""
        return self._next == self._total

    @property
    def last_is_next(self) -> bool:
        """Whether one message is missing."""
        return self._next == self._total - 1

    def expect(self, index: int) -> None:
        """Checks that a message is the next one.

        Args:
            index: of the message.

        Raises:
            AlignmentError: there are more messages than declared.
            SessionError: another message is the next one.
        """
        if index >= self._total:
            raise AlignmentError(
                "more messages than the declared rows make",
                where=self.where,
                expected=f"{self._total} messages",
                received=f"message {index}",
            )
        if index != self._next:
            raise SessionError(
                "a message out of order",
                where=self.where,
                expected="no more messages" if self.complete else f"message {self._next}",
                received=f"message {index}",
            )

    def advance(self) -> None:
        """Counts the message that was expected, once it is known to be usable."""
        self._next += 1
