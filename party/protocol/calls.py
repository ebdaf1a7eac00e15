"""Calls that may be repeated, and change nothing when they are."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from party.errors import SessionError
from party.protocol.deferred import Deferred

SHORT_BYTES = 1 << 20  # a request up to here is kept as it is, which takes less time than its digest
KEPT_REPLIES = 2  # the latest of each kind of call, where one is under way at a time


class RepeatableCalls:
    """Answers a repeated call with the bytes of its first answer.

    A message is never sealed twice: a repeat gets the cached bytes. A different
    request in the place of an answered one is refused.

    Args:
        where: party that answers, for errors.
        kept: how many replies of each kind of call are kept; more than there are calls under way.
    """

    def __init__(self, where: str, kept: int = KEPT_REPLIES) -> None:
        self._where = where
        self._kept = kept
        self._lock = threading.Lock()
        self._replies: dict[Hashable, OrderedDict[Hashable, tuple[bytes, Deferred[bytes]]]] = {}

    def answer(self, call: tuple[Hashable, ...], request: bytes, compute: Callable[[], bytes]) -> bytes:
        """Answers a call, computing only the first time; calls wait for each other.

        Args:
            call: what identifies the call in its session: its kind, and last its place among those of its kind.
            request: the whole request as received.
            compute: yields the reply; an error leaves the call unanswered.

        Returns:
            The reply.

        Raises:
            SessionError: the call was answered before, for a different request.
        """
        return self.begin(call, request, lambda: Deferred.of(compute())).result()

    def begin(
        self, call: tuple[Hashable, ...], request: bytes, compute: Callable[[], Deferred[bytes]]
    ) -> Deferred[bytes]:
        """Answers a call whose reply may take longer than the next call has to wait.

        Args:
            call: as for `answer`.
            request: the whole request as received.
            compute: yields the reply to come; an error leaves the call unanswered, one of the reply answers it.

        Returns:
            The reply to come, the same one to a repeated call.

        Raises:
            SessionError: the call was answered before, for a different request.
        """
        with self._lock:
            known_by = request if len(request) <= SHORT_BYTES else hashlib.sha256(request).digest()
            replies = self._replies.get(call[:-1], OrderedDict())
            known = replies.get(call)
            if known is not None:
                if known[0] != known_by:
                    raise SessionError(
                        f"EQUIVOCATION: call {call} was answered before, for a different request",
                        where=self._where,
                        fix="the coordinator contradicts itself; start a new run",
                    )
                return known[1]
            reply = compute()
            replies[call] = (known_by, reply)
            while len(replies) > self._kept:
                replies.popitem(last=False)
            self._replies[call[:-1]] = replies
            return reply
