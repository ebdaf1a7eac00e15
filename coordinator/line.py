"""One open stream to a party for the calls of a session's batches: cheaper than a gRPC call for each of them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf.message import Message

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
    """A stream that carries calls and answers, in order; for one thread at a time.

    Args:
        converse: the stub's method Converse.
        monotonic: seconds of a monotonic clock.
    """

    def __init__(
        self,
        converse: grpc.StreamStreamMultiCallable[Any, Any],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._converse = converse
        self._monotonic = monotonic
        self._calls: queue.SimpleQueue[pb.ConverseRequest | None] = queue.SimpleQueue()
        self._answers: Iterator[pb.ConverseReply] | None = None
        self._deadline_seconds: float | None = None
        self._late = False
        self._closed = threading.Event()

    def send(self, method: str, request: Message) -> None:
        """Sends a call; its answer comes after those of the calls before it."""
        if self._answers is None:
            self._answers = self._converse(iter(self._calls.get, None))
            threading.Thread(target=self._watch, args=(self._answers,), name="line", daemon=True).start()
        self._calls.put(pb.ConverseRequest(method=method, request=request.SerializeToString()))

    def receive(self, timeout_seconds: float) -> bytes:
        """Waits for the next answer.

        Args:
            timeout_seconds: longest wait; the line ends where it is exceeded.

        Returns:
            The serialized reply.

        Raises:
            grpc.RpcError: the call failed, or the line did.
        """
        if self._answers is None:
            raise RuntimeError("no call was sent")
        self._deadline_seconds = self._monotonic() + timeout_seconds
        try:
            answer = next(self._answers)
        except StopIteration:
            raise LineError(grpc.StatusCode.UNAVAILABLE, "the stream ended") from None
        except grpc.RpcError as error:
            if self._late:
                raise LineError(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time") from error
            raise
        finally:
            self._deadline_seconds = None
        if answer.status:
            raise LineError(STATUSES.get(answer.status, grpc.StatusCode.UNKNOWN), answer.details)
        return answer.reply

    def close(self) -> None:
        """Ends the stream."""
        self._closed.set()
        self._calls.put(None)

    def _watch(self, call: Any) -> None:
        """Ends the stream where an answer is overdue: waiting for each with a timeout would cost a thread's switch."""
        while not self._closed.wait(DEADLINE_CHECK_SECONDS):
            deadline_seconds = self._deadline_seconds
            if deadline_seconds is not None and self._monotonic() > deadline_seconds:
                self._late = True
                call.cancel()
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
        line = self._line()
        line.send(self._name, request)
        return self._reply.FromString(line.receive(timeout))

    def future(self, request: Message, timeout: float) -> LineFuture:
        """Calls; the result waits for the answer, and has to be asked for before the next call's."""
        line = self._line()
        line.send(self._name, request)
        return LineFuture(lambda: self._reply.FromString(line.receive(timeout)))


class LineFuture:
    """An answer that is on its way."""

    def __init__(self, receive: Callable[[], Message]) -> None:
        self.result = receive
