"""Limits the calls under way, as each holds a server thread until it is answered, and its reply until that is taken."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc

from party.errors import ConnectionLostError

MAXIMUM_WAITING_CALLS = 4  # of one caller, whose message has not arrived yet
MAXIMUM_CALLS = 8  # of one caller, until gRPC has done with them: also those whose reply is not taken
MAXIMUM_CALLS_IN_ALL = 32  # of all callers, that hold a thread
REQUEST_SECONDS = 120.0  # for the longest message over a slow network


class _Call:
    """A call under way.

    Args:
        caller: certificate name of the caller.
        cancel: cancels the call.
    """

    def __init__(self, caller: str, cancel: Callable[[], object]) -> None:
        self.caller = caller
        self.cancel = cancel
        self.waits = True  # for its message
        self.holds_thread = True  # until it is answered
        self.is_open = True  # until gRPC has done with it


class CallPlaces:
    """Limits how many calls of one caller, and of all, may be under way, and how long they may wait for their message.

    One caller alone never takes the places of all; where several do, a further caller gets the place of a call that
    waits, of the caller with the most of those.

    Args:
        party: name of this party, for errors.
    """

    def __init__(self, party: str) -> None:
        self._party = party
        self._lock = threading.Lock()
        self._calls: list[_Call] = []  # the oldest first

    @contextmanager
    def place(self, caller: str, context: grpc.ServicerContext) -> Iterator[Callable[[], None]]:
        """Context in which a call waits for its message and is answered.

        Args:
            caller: certificate name of the caller.
            context: context of the call.

        Yields:
            A function to call once the message has arrived.

        Raises:
            ConnectionLostError: too many calls are under way already; the yielded function raises it too.
        """
        call = _Call(caller, context.cancel)
        displaced = self._enter(call)
        if displaced is not None:
            displaced.cancel()
        timer = threading.Timer(REQUEST_SECONDS, context.cancel)
        timer.daemon = True
        timer.start()

        def received() -> None:
            timer.cancel()
            self._change(call, waits=False)
            if not call.holds_thread:  # its message came just as another call got its place
                raise ConnectionLostError("has too many calls under way", where=self._party, fix="try again later")

        try:
            if not context.add_callback(lambda: self._change(call, is_open=False)):  # cancelled already
                self._change(call, is_open=False)
            yield received
        finally:
            timer.cancel()
            self._change(call, waits=False, holds_thread=False)

    def _enter(self, call: _Call) -> _Call | None:
        """Takes a place; returns the call that must be cancelled for it, if any."""
        with self._lock:
            own = [one for one in self._calls if one.caller == call.caller]
            if sum(one.waits for one in own) >= MAXIMUM_WAITING_CALLS:
                raise ConnectionLostError("waits for the messages of too many calls", where=self._party)
            if len(own) >= MAXIMUM_CALLS:
                raise ConnectionLostError(
                    "has too many calls of this coordinator under way", where=self._party, fix="try again later"
                )
            displaced = None
            if sum(one.holds_thread for one in self._calls) >= MAXIMUM_CALLS_IN_ALL:
                displaced = self._to_displace(call.caller)
                displaced.waits = displaced.holds_thread = False  # its thread ends as soon as it is cancelled
            self._calls.append(call)
            return displaced

    def _to_displace(self, caller: str) -> _Call:
        """The oldest waiting call of the caller with the most, if those are more than another caller has."""
        waiting = Counter(one.caller for one in self._calls if one.waits)
        greediest, count = max(waiting.items(), key=lambda item: item[1], default=("", 0))
        if count <= waiting[caller] + 1:
            raise ConnectionLostError("has too many calls under way", where=self._party, fix="try again later")
        return next(one for one in self._calls if one.waits and one.caller == greediest)

    def _change(self, call: _Call, **states: bool) -> None:
        with self._lock:
            vars(call).update(states)
            if not (call.holds_thread or call.is_open) and call in self._calls:
                self._calls.remove(call)
