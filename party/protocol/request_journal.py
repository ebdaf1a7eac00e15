"""A step that is repeated from a restored state must bring the same request as before.

The restored weights have already answered one request. Whoever sends other gradients or hiddens after the run went back
to a checkpoint would get a second answer of one secret state, and one more with every further return.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from party.errors import SealError
from party.protocol.schedule import Exchange
from party.security.sealing import Slot

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestEntry:
    """The request at a position of the schedule.

    Attributes:
        position: position of the exchange.
        digests: SHA-256 of each opened message, in ascending order of the senders' names.
    """

    position: int
    digests: tuple[bytes, ...]


class RequestStore(Protocol):
    """Stores entries beyond the end of a session."""

    def append(self, entry: RequestEntry) -> None:
        """Adds an entry; it survives the process being killed.

        Args:
            entry: the entry of the next position.
        """

    def cut(self, position: int) -> None:
        """Removes the entries from a position on.

        Args:
            position: first position to remove.
        """


class RequestJournal:
    """Compares each request with the earlier one at the same position, and stores it if there is none.

    An entry is stored before the party acts on its request, and so before anything that depends on it leaves the party:
    whenever an answer may be known elsewhere, its request is known here, even without a checkpoint in between.

    Args:
        known: stored entries from the session's first position on, ascending.
        store: stores further entries.
        tolerant: whether a request that differs is accepted with a warning; an honest one may differ in its last bits.
        end_session: called before a request is refused.
    """

    def __init__(
        self, known: Iterator[RequestEntry], store: RequestStore, tolerant: bool, end_session: Callable[[], None]
    ) -> None:
        self._known = known
        self._following = next(known, None)
        self._latest: RequestEntry | None = None
        self._store = store
        self._tolerant = tolerant
        self._end_session = end_session

    def take(self, exchange: Exchange, messages: Mapping[Slot, bytes]) -> None:
        """Stores the request of an exchange, or compares it with the stored one.

        Args:
            exchange: the exchange that is due; the last one may be repeated.
            messages: the opened messages by their slots, in ascending order of the senders.

        Raises:
            SealError: a message differs from the earlier one; the session is ended.
            StorageError: the request cannot be stored; the party must not act on it.
        """
        entry = RequestEntry(
            exchange.position, tuple(hashlib.sha256(message).digest() for message in messages.values())
        )
        known = self._known_at(exchange.position)
        if known == entry:
            return
        if known is not None:
            differing = zip(messages, known.digests, entry.digests, strict=True)
            self._refuse_or_warn(exchange, next(slot for slot, before, now in differing if before != now))
            self._forget_from(exchange.position)
        if self._following is None:  # otherwise a damaged store has a gap here, and appends only at its end
            self._store.append(entry)
        self._latest = entry

    def _known_at(self, position: int) -> RequestEntry | None:
        if self._latest is not None and self._latest.position == position:
            return self._latest
        if self._following is None or self._following.position != position:
            return None
        self._latest, self._following = self._following, next(self._known, None)
        return self._latest

    def _refuse_or_warn(self, exchange: Exchange, slot: Slot) -> None:
        if self._tolerant:
            logger.warning(
                "%s: %s differs from the one before the rollback, at step %d: taken with all that follow, as"
                " checkpoints.allow_other_numerics is set",
                slot.receiver,
                slot,
                exchange.step,
            )
            return
        self._end_session()
        raise SealError(
            f"{slot.sender}'s message for step {exchange.step} differs from the one before the rollback",
            where=f"{slot.receiver}: {slot}",
            expected="the same bytes at the same weights",
            fix="find out why before resuming",
        )

    def _forget_from(self, position: int) -> None:
        self._known, self._following, self._latest = iter(()), None, None
        self._store.cut(position)
