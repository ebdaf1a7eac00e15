"""Many calls over one open stream: a stream costs a third less time than a gRPC call for each batch."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Mapping

import grpc
from google.protobuf.message import DecodeError

from party.errors import ConnectionLostError, SessionError, SplitError
from party.pb import party_pb2 as pb
from party.protocol.deferred import Deferred
from party.security.fields import has_at_most_fields
from party.security.printable import printable
from party.transport.errors import error_to_status

Answer = bytes | SplitError
Behaviour = Callable[[bytes, grpc.ServicerContext], Answer | Deferred[Answer]]
MAXIMUM_FIELDS = 2  # of a ConverseRequest
MAXIMUM_CALLS_AHEAD = 128  # begun on one stream and not answered: more than any schedule has under way
MAXIMUM_CONVERSATIONS = 4  # each holds a thread of the server for as long as it is open; a further one ends the oldest


class Conversations:
    """Answers the calls that arrive over streams, each as if it had come alone.

    Args:
        party: own name, for errors.
        behaviours: how the calls that may be streamed are answered, by method.
        authorise: raises where the caller of a stream may not call.
        go_on: does what can wait until an answer is on its way.
    """

    def __init__(
        self,
        party: str,
        behaviours: Mapping[str, Behaviour],
        authorise: Callable[[grpc.ServicerContext], object],
        go_on: Callable[[], None] = lambda: None,
    ) -> None:
        self.behaviours = behaviours
        self._go_on = go_on
        self._authorise = authorise
        self._party = party
        self._lock = threading.Lock()
        self._open: dict[grpc.ServicerContext, None] = {}  # in the order in which they were opened
        self._under_way: dict[grpc.ServicerContext, int] = {}  # calls that were not answered yet
        self._stopping = False

    def converse(self, calls: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Answers the calls of one stream, in order; where an answer takes a while, the next call begins meanwhile.

        Args:
            calls: serialized `ConverseRequest` messages.
            context: of the stream; the caller is authorised anew for every call.

        Yields:
            Serialized `ConverseReply` messages in the same order.
        """
        try:
            self._begin(context)
        except SplitError as error:
            yield _message(error)
            return
        try:
            for raw in calls:
                self._busy(context)
                answer = self._begin_answer(raw, context)
                if isinstance(answer, Deferred):
                    yield from self._converse_ahead(calls, context, answer)
                    return
                yield _message(answer)
                self._go_on()
                if self._answered(context):
                    return
        finally:
            with self._lock:
                self._open.pop(context, None)
                self._under_way.pop(context, None)

    def _converse_ahead(
        self, calls: Iterator[bytes], context: grpc.ServicerContext, first: Deferred[Answer]
    ) -> Iterator[bytes]:
        """Goes on with a thread that begins calls beside this one, which waits for answers."""
        answers: queue.SimpleQueue[Answer | Deferred[Answer] | None] = queue.SimpleQueue()
        answers.put(first)
        room = threading.Semaphore(MAXIMUM_CALLS_AHEAD)

        def begin() -> None:
            with contextlib.suppress(grpc.RpcError):  # the stream was cancelled, which the other thread sees too
                for raw in calls:
                    room.acquire()
                    self._busy(context)
                    answers.put(self._begin_answer(raw, context))
            answers.put(None)

        threading.Thread(target=begin, name="calls", daemon=True).start()
        try:
            while (answer := answers.get()) is not None:
                yield _message(answer.result() if isinstance(answer, Deferred) else answer)
                room.release()
                if self._answered(context):
                    return
        finally:
            room.release()  # the other thread may wait for it; it sees then that the stream has ended

    def hang_up(self) -> None:
        """Ends every stream, those with a call under way after its answer; further ones are refused."""
        with self._lock:
            self._stopping = True
            idle = [context for context in self._open if not self._under_way.get(context)]
        for context in idle:
            context.cancel()

    def _busy(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            if context in self._open:  # a stream that was cancelled leaves nothing behind
                self._under_way[context] = self._under_way.get(context, 0) + 1

    def _answered(self, context: grpc.ServicerContext) -> bool:
        """Notes that a call was answered; says whether the stream is to end, as no further one is under way."""
        with self._lock:
            left = self._under_way.get(context, 1) - 1
            self._under_way[context] = left
            return self._stopping and not left

    def _begin(self, context: grpc.ServicerContext) -> None:
        self._authorise(context)
        with self._lock:
            if self._stopping:
                raise ConnectionLostError("is stopping", where=self._party)
            oldest = next(iter(self._open)) if len(self._open) >= MAXIMUM_CONVERSATIONS else None
            if oldest is not None:
                del self._open[oldest]
            self._open[context] = None
        if oldest is not None:
            # A caller whose connection broke comes back before this side has noticed: its old streams must not
            # keep it out.
            oldest.cancel()

    def _begin_answer(self, raw: bytes, context: grpc.ServicerContext) -> Answer | Deferred[Answer]:
        try:
            if not has_at_most_fields(raw, MAXIMUM_FIELDS):
                raise DecodeError
            call = pb.ConverseRequest.FromString(raw)
        except DecodeError:
            return SessionError("request cannot be parsed", where=self._party)
        behaviour = self.behaviours.get(call.method)
        if behaviour is None:
            return SessionError(f"{printable(call.method)} cannot be streamed", where=self._party)
        return behaviour(call.request, context)


def _message(reply: Answer) -> bytes:
    if isinstance(reply, bytes):
        return pb.ConverseReply(reply=reply).SerializeToString()
    status, details = error_to_status(reply)
    return pb.ConverseReply(status=status.value[0], details=details).SerializeToString()
