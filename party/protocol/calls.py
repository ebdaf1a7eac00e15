"""Calls that may be repeated, and change nothing when they are."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from party.errors import SessionError

KEPT_REPLIES = 4  # the latest of each of the few kinds of call that a coordinator may repeat


class RepeatableCalls:
    """Answers a repeated call with the bytes of its first answer.

    A message is never sealed twice: a repeat gets the cached bytes. A different
    request in the place of an answered one is refused.

    Args:
        where: party that answers, for errors.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._lock = threading.Lock()
        self._replies: OrderedDict[Hashable, tuple[bytes, bytes]] = OrderedDict()

    def answer(self, call: Hashable, request: bytes, compute: Callable[[], bytes]) -> bytes:
        """Answers a call, computing only the first time; calls wait for each other.

        Args:
            call: what identifies the call in its session.
            request: the whole request as received.
            compute: yields the reply; an error leaves the call unanswered.

        Returns:
            The reply.

        Raises:
            SessionError: the call was answered before, for a different request.
        """
        with self._lock:
            digest = hashlib.sha256(request).digest()
            known = self._replies.get(call)
            if known is not None:
                if known[0] != digest:
                    raise SessionError(
                        f"EQUIVOCATION: call {call} was answered before, for a different request",
                        where=self._where,
                        fix="the coordinator contradicts itself; start a new run",
                    )
                return known[1]
            reply = compute()
            self._replies[call] = (digest, reply)
            while len(self._replies) > KEPT_REPLIES:
                self._replies.popitem(last=False)
            return reply
