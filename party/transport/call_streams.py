"""Many calls over one gRPC stream, which costs a third less time than a gRPC call for each batch."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import Counter
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
MAXIMUM_FIELDS = 2  # of a StreamCallsRequest
MAXIMUM_CALLS_AHEAD = 128  # unanswered calls of one stream: more than any schedule has under way
# Each stream holds a server thread while it is open; a further one ends the oldest.
MAXIMUM_STREAMS = 4  # of the coordinator that owns the session
MAXIMUM_STREAMS_OF_OTHERS = 4  # one of each caller that does not
# Also those that were ended while a call of theirs is computed.
MAXIMUM_STREAM_THREADS_OF_CALLER = 8
MAXIMUM_STREAM_THREADS = 16


class CallStreams:
    """Answers the calls that arrive over streams, each like a call of its own.

    Args:
        party: name of this party, for errors.
        behaviours: behaviours of the calls that may be streamed, by method.
        authorise: returns the name of a stream's caller; raises if it may not call.
        owner: returns the name of the open session's owner; empty if no session is open.
        after_answer: does the work that can wait until an answer has been sent.
    """

    def __init__(
        self,
        party: str,
        behaviours: Mapping[str, Behaviour],
        *,
        authorise: Callable[[grpc.ServicerContext], str],
        owner: Callable[[], str],
        after_answer: Callable[[], None] = lambda: None,
    ) -> None:
        self.behaviours = behaviours
        self._after_answer = after_answer
        self._authorise = authorise
        self._owner = owner
        self._party = party
        self._lock = threading.Lock()
        self._open: dict[grpc.ServicerContext, str] = {}  # callers by stream, the oldest first
        self._threads: Counter[str] = Counter()  # by caller
        self._under_way: dict[grpc.ServicerContext, int] = {}  # number of calls that are not answered yet
        self._stopping = False

    def serve(self, calls: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Answers the calls of one stream, in order; while an answer is computed, the next call may begin.

        Args:
            calls: serialized `StreamCallsRequest` messages.
            context: context of the stream; the caller is authorised anew for every call.

        Yields:
            Serialized `StreamCallsReply` messages in the same order.
        """
        try:
            caller = self._begin(context)
        except SplitError as error:  # as a status: a message would wait, and hold a thread, until the caller takes it
            status, details = error_to_status(error)
            context.set_code(status)
            context.set_details(details)
            return
        try:
            for raw in calls:
                self._busy(context)
                answer = self._begin_answer(raw, context)
                if isinstance(answer, Deferred):
                    yield from self._serve_ahead(calls, context, answer)
                    return
                yield _message(answer)
                self._after_answer()
                if self._answered(context):
                    return
        finally:
            with self._lock:
                self._open.pop(context, None)
                self._under_way.pop(context, None)
                self._threads[caller] -= 1

    def _serve_ahead(
        self, calls: Iterator[bytes], context: grpc.ServicerContext, first: Deferred[Answer]
    ) -> Iterator[bytes]:
        """Continues with a second thread that begins calls, while this one waits for answers."""
        answers: queue.SimpleQueue[Answer | Deferred[Answer] | None] = queue.SimpleQueue()
        answers.put(first)
        room = threading.Semaphore(MAXIMUM_CALLS_AHEAD)

        def begin() -> None:
            with contextlib.suppress(grpc.RpcError):  # the stream was cancelled; the other thread sees that too
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
                self._after_answer()
                if self._answered(context):
                    return
        finally:
            room.release()  # the other thread may wait for room; it then sees that the stream has ended

    def close(self) -> None:
        """Ends every stream, once the answer of any call under way is sent; refuses further streams."""
        with self._lock:
            self._stopping = True
            idle = [context for context in self._open if not self._under_way.get(context)]
        for context in idle:
            context.cancel()

    def _busy(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            if context in self._open:  # a cancelled stream has been removed already
                self._under_way[context] = self._under_way.get(context, 0) + 1

    def _answered(self, context: grpc.ServicerContext) -> bool:
        """Records that a call was answered; returns whether the stream must end, as no other call is under way."""
        with self._lock:
            left = self._under_way.get(context, 1) - 1
            self._under_way[context] = left
            return self._stopping and not left

    def _begin(self, context: grpc.ServicerContext) -> str:
        """Admits a stream, and ends those that must give way to it; returns the name of its caller."""
        caller, owner = self._authorise(context), self._owner()
        with self._lock:
            if self._stopping:
                raise ConnectionLostError("is stopping", where=self._party)
            if (
                self._threads[caller] >= MAXIMUM_STREAM_THREADS_OF_CALLER
                or self._threads.total() >= MAXIMUM_STREAM_THREADS
            ):
                raise ConnectionLostError("holds as many streams as it can", where=self._party, fix="try again later")
            self._threads[caller] += 1
            self._open[context] = caller
            surplus = self._surplus(owner)
            for stream in surplus:
                del self._open[stream]
        for stream in surplus:
            # A caller whose connection broke may return before this side has noticed: its old streams must not
            # keep it out.
            stream.cancel()
        return caller

    def _surplus(self, owner: str) -> list[grpc.ServicerContext]:
        """The oldest streams beyond the bounds: of the owner, of each other caller, and of those together."""
        kept: Counter[str] = Counter()
        surplus = []
        for stream, caller in reversed(self._open.items()):
            if caller == owner:
                has_room = kept[owner] < MAXIMUM_STREAMS
            else:
                has_room = not kept[caller] and kept.total() - kept[owner] < MAXIMUM_STREAMS_OF_OTHERS
            if has_room:
                kept[caller] += 1
            else:
                surplus.append(stream)
        return surplus

    def _begin_answer(self, raw: bytes, context: grpc.ServicerContext) -> Answer | Deferred[Answer]:
        try:
            if not has_at_most_fields(raw, MAXIMUM_FIELDS):
                raise DecodeError
            call = pb.StreamCallsRequest.FromString(raw)
        except DecodeError:
            return SessionError("request cannot be parsed", where=self._party)
        behaviour = self.behaviours.get(call.method)
        if behaviour is None:
            return SessionError(f"{printable(call.method)} cannot be streamed", where=self._party)
        return behaviour(call.request, context)


def _message(reply: Answer) -> bytes:
    if isinstance(reply, bytes):
        return pb.StreamCallsReply(reply=reply).SerializeToString()
    status, details = error_to_status(reply)
    return pb.StreamCallsReply(status=status.value[0], details=details).SerializeToString()
