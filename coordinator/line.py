"""One open stream to a party for the calls of a session's batches: cheaper than a gRPC call for each of them."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf.message import Message

from coordinator.patience import Patience
from party.errors import SessionError, SplitError
from party.pb import party_pb2 as pb

DEADLINE_CHECK_SECONDS = 0.25
STATUSES = {status.value[0]: status for status in grpc.StatusCode}


class LineError(grpc.RpcError):
    """What a call over the line met, in the form in which a stub raises it."""

    def __init__(self, status: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._status = status
        self._details = details

    def code(self) -> grpc.StatusCode:
        """The gRPC status."""
        return self._status

    def details(self) -> str:
        """What the party says of it."""
        return self._details


class Line:
    """A stream that carries calls and answers, in order; one thread may send while another one receives.

    Where the stream breaks, the line opens another one and sends again what was not answered: the party answers a
    repeated call with the bytes of its first answer, so that nothing is computed twice.

    Args:
        converse: the stub's method Converse.
        patience: how long to go on opening streams.
        as_error: the typed error that a call failed with.
        monotonic: seconds of a monotonic clock.
    """

    def __init__(
        self,
        converse: grpc.StreamStreamMultiCallable[Any, Any],
        patience: Patience,
        as_error: Callable[[grpc.RpcError], SplitError],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._converse = converse
        self._patience = patience
        self._as_error = as_error
        self._monotonic = monotonic
        self._unanswered: deque[pb.ConverseRequest] = deque()
        self._stream: Stream | None = None
        self._began = False
        self._closed = False
        # A call is sent once on every stream: by whoever makes it, or by whoever opens the stream after it was made.
        self._lock = threading.Lock()

    def send(self, method: str, request: Message) -> None:
        """Sends a call; its answer comes after those of the calls before it.

        Raises:
            SessionError: the line is closed.
        """
        call = pb.ConverseRequest(method=method, request=request.SerializeToString())
        with self._lock:
            self._check_open()
            self._unanswered.append(call)
            if self._stream is not None:
                self._stream.send(call)
            elif not self._began:  # after a stream that broke, whoever waits for an answer opens one, with patience
                self._open()

    def receive(self, timeout_seconds: float) -> bytes:
        """Waits for the next answer.

        Args:
            timeout_seconds: longest wait on one stream; another one is opened where it is exceeded.

        Returns:
            The serialized reply.

        Raises:
            SplitError: what the party answered, or what the connection did once patience was over.
        """
        answer = self._patience.insist(lambda: self._answer(timeout_seconds))
        with self._lock:
            if self._unanswered:
                self._unanswered.popleft()
        if answer.status:
            refused = LineError(STATUSES.get(answer.status, grpc.StatusCode.UNKNOWN), answer.details)
            raise self._as_error(refused) from refused
        return answer.reply

    def close(self) -> None:
        """Ends the stream for good, and forgets what was not answered."""
        with self._lock:
            self._closed = True
            self._unanswered.clear()
        self._hang_up()

    def _answer(self, timeout_seconds: float) -> pb.ConverseReply:
        """The next answer of the present stream, or of a new one."""
        with self._lock:
            self._check_open()
            stream = self._stream or self._open()
        try:
            return stream.receive(timeout_seconds)
        except grpc.RpcError as error:
            self._hang_up()
            raise self._as_error(error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise SessionError("the session has ended", where="line")

    def _open(self) -> Stream:
        """Opens a stream and sends what was not answered; with the lock held."""
        self._began = True
        stream = self._stream = Stream(self._converse, self._monotonic)
        for call in self._unanswered:
            stream.send(call)
        return stream

    def _hang_up(self) -> None:
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class Stream:
    """One open call of Converse.

    Args:
        converse: the stub's method Converse.
        monotonic: seconds of a monotonic clock.
    """

    def __init__(self, converse: grpc.StreamStreamMultiCallable[Any, Any], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._calls: queue.SimpleQueue[pb.ConverseRequest | None] = queue.SimpleQueue()
        self._deadline_seconds: float | None = None
        self._late = False
        self._closed = threading.Event()
        self._call: Any = converse(iter(self._calls.get, None))
        self._answers: Iterator[pb.ConverseReply] = self._call
        threading.Thread(target=self._watch, name="line", daemon=True).start()

    def send(self, call: pb.ConverseRequest) -> None:
        """Sends a call."""
        self._calls.put(call)

    def receive(self, timeout_seconds: float) -> pb.ConverseReply:
        """Waits for the next answer.

        Raises:
            grpc.RpcError: the stream ended, or is late.
        """
        self._deadline_seconds = self._monotonic() + timeout_seconds
        try:
            return next(self._answers)
        except StopIteration:
            raise LineError(grpc.StatusCode.UNAVAILABLE, "the stream ended") from None
        except grpc.RpcError as error:
            if self._late:
                raise LineError(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time") from error
            raise
        finally:
            self._deadline_seconds = None

    def close(self) -> None:
        """Ends the stream."""
        self._closed.set()
        self._calls.put(None)
        self._call.cancel()

    def _watch(self) -> None:
        """Ends the stream where an answer is overdue: waiting for each with a timeout would cost a thread's switch."""
        while not self._closed.wait(DEADLINE_CHECK_SECONDS):
            deadline_seconds = self._deadline_seconds
            if deadline_seconds is not None and self._monotonic() > deadline_seconds:
                self._late = True
                self._call.cancel()
                return


class LineMethod:
    """A method of a stub whose calls go over a line.

    Args:
        line: makes, or returns, the open line.
        name: of the method.
        reply: class of its replies.
    """

    def __init__(self, line: Callable[[], Line], name: str, reply: type[Message]) -> None:
        self._line = line
        self._name = name
        self._reply = reply

    def __call__(self, request: Message, timeout: float) -> Message:
        """Calls and waits."""
        return self.future(request, timeout).result()

    def future(self, request: Message, timeout: float) -> LineFuture:
        """Calls; the result waits for the answer, and has to be asked for before the next call's."""
        line = self._line()
        line.send(self._name, request)
        return LineFuture(lambda: self._reply.FromString(line.receive(timeout)))


class LineFuture:
    """An answer that is on its way."""

    def __init__(self, receive: Callable[[], Message]) -> None:
        self.result = receive
