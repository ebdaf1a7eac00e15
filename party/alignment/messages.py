"""The messages of one kind between two parties: their number and their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from itertools import islice

from party.alignment.pool import outcome
from party.errors import AlignmentError, SessionError
from party.pb.party_pb2 import MessageKind

CHUNKS_AHEAD_PER_WORKER = 4


def chunk_count(rows: int, chunk_rows: int) -> int:
    """Counts the chunks that rows are sent in.

    Args:
        rows: number of rows.
        chunk_rows: rows of one chunk.

    Returns:
        The number of chunks.
    """
    return -(-rows // chunk_rows)


def rows_of_chunk(rows: int, chunk_rows: int, index: int) -> int:
    """Counts the rows of one chunk; the last one holds the rest.

    Args:
        rows: number of all rows.
        chunk_rows: rows of a full chunk.
        index: index of the chunk.

    Returns:
        The number of rows.
    """
    return min(chunk_rows, rows - index * chunk_rows)


def finished(message: bytes) -> Future[bytes]:
    """Wraps a message that needs no worker."""
    future: Future[bytes] = Future()
    future.set_result(message)
    return future


def check_size(message: bytes, expected: int, where: str) -> None:
    """Refuses a message of another length than its kind has.

    Args:
        message: the message as received.
        expected: its length in bytes.
        where: kind, peer and dataset, for errors.

    Raises:
        AlignmentError: it is longer or shorter.
    """
    if len(message) != expected:
        raise AlignmentError(
            "a message of the wrong size",
            where=where,
            expected=f"{expected} bytes",
            received=f"{len(message)} bytes",
        )


def foreign_kind(kind: MessageKind, verb: str) -> SessionError:
    """Makes the error for a kind of message that one side never sends or takes.

    Args:
        kind: the kind as received.
        verb: `produces` or `consumes`.

    Returns:
        The error to raise.
    """
    name = MessageKind.Name(kind) if kind in MessageKind.values() else f"kind {int(kind)}"
    return SessionError(f"a kind of message that this side never {verb}", received=name)


class Outgoing:
    """Messages that are requested in order; only the last one is cached, because it may be requested again.

    Args:
        total: number of messages.
        where: kind, peer and dataset, for errors.
        upcoming: the messages, submitted to the pool as they are drawn; empty if `add` appends them.
        ahead: number of messages that are drawn before they are requested.
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
            index: index of the next message, or of the last one again.

        Returns:
            The message; the same bytes for the same index.

        Raises:
            SessionError: another index is next, or the message that this one answers has not arrived.
            AlignmentError: the message answers one that cannot be answered.
            InternalError: a worker process died.
        """
        if self._next > 0 and index == self._next - 1:
            return self._last
        if index != self._next or index >= self.total:
            raise SessionError(
                "a message requested out of order",
                where=self._where,
                expected=f"message {min(self._next, self.total - 1)} of {self.total}",
                received=f"message {index}",
            )
        if not self._pending:
            raise SessionError(f"message {index} is requested too early", where=self._where)
        self._last = outcome(self._pending[0])
        self._pending.popleft()
        self._next += 1
        self._draw()
        return self._last

    def close(self) -> None:
        """Drops the messages that were not requested."""
        self._upcoming = iter(())
        for future in self._pending:
            future.cancel()

    def _draw(self) -> None:
        self._pending.extend(islice(self._upcoming, max(0, self._ahead - len(self._pending))))


class Incoming:
    """Counts received messages, which must arrive in order and in the declared number.

    Args:
        total: number of messages.
        where: kind, peer and dataset, for errors.
    """

    def __init__(self, total: int, where: str) -> None:
        self.where = where
        self._total = total
        self._next = 0

    @property
    def complete(self) -> bool:
        """Whether all messages have arrived."""
        return self._next == self._total

    @property
    def last_is_next(self) -> bool:
        """Whether exactly one message is missing."""
        return self._next == self._total - 1

    def expect(self, index: int) -> None:
        """Checks that a message is the next one.

        Args:
            index: index of the message.

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
