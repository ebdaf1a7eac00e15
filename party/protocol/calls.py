"""Idempotent calls: a repeated call changes nothing."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from party.errors import SessionError
from party.protocol.deferred import Deferred

SHORT_BYTES = 1 << 20  # a shorter request is stored as it is, which takes less time than its digest
CACHED_REPLIES = 2  # of each kind of call, the latest, where one call is under way at a time


class RepeatableCalls:
    """Answers a repeated call with the bytes of its first answer.

    A message is never sealed twice: a repeat gets the cached bytes. A different
    request for a call that was answered is refused.

    Args:
        where: name of the party that answers, for errors.
        cached: number of replies that are cached for each kind of call; more than there are calls under way.

    Attributes:
        repeated: number of calls that were answered again.
    """

    def __init__(self, where: str, cached: int = CACHED_REPLIES) -> None:
        self._where = where
        self._cached = cached
        self._lock = threading.Lock()
        self.repeated = 0
        self._replies: dict[Hashable, OrderedDict[Hashable, tuple[bytes, Deferred[bytes]]]] = {}

    def answer(self, call: tuple[Hashable, ...], request: bytes, compute: Callable[[], bytes]) -> bytes:
        """Answers a call; computes the reply only the first time. Calls wait for each other.

        Args:
            call: identifies the call in its session: its kind first, its position among those of its kind last.
            request: the whole request as received.
            compute: computes the reply; an error leaves the call unanswered.

        Returns:
            The reply.

        Raises:
            SessionError: the call was answered before, for a different request.
        """
        return self.begin(call, request, lambda: Deferred.of(compute())).result()

    def begin(
        self, call: tuple[Hashable, ...], request: bytes, compute: Callable[[], Deferred[bytes]]
    ) -> Deferred[bytes]:
        """Answers a call whose reply is computed later, so that the next call need not wait for it.

        Args:
            call: as for `answer`.
            request: the whole request as received.
            compute: begins the reply; its own error leaves the call unanswered, an error of the reply answers it.

        Returns:
            The deferred reply; a repeated call gets the same one.

        Raises:
            SessionError: the call was answered before, for a different request.
        """
        with self._lock:
            known_by = request if len(request) <= SHORT_BYTES else hashlib.sha256(request).digest()
            replies = self._replies.get(call[:-1], OrderedDict())
            known = replies.get(call)
            if known is not None:
                if known[0] != known_by:
                    named = " ".join(map(str, call))
                    raise SessionError(
                        f"EQUIVOCATION: call {named} was repeated with a different request",
                        where=self._where,
                        fix="the coordinator contradicts itself; start a new run",
                    )
                self.repeated += 1
                return known[1]
            reply = compute()
            replies[call] = (known_by, reply)
            while len(replies) > self._cached:
                replies.popitem(last=False)
            self._replies[call[:-1]] = replies
            return reply
