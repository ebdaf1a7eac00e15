"""Calls to a party over one gRPC stream, which costs less than a unary gRPC call for each batch of a session."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf.message import Message

from coordinator.retry import RetryPolicy
from party.errors import SessionError, SplitError
from party.pb import party_pb2 as pb

DEADLINE_CHECK_SECONDS = 0.25
STATUSES = {status.value[0]: status for status in grpc.StatusCode}

StreamMethod = Callable[..., Any]  # a grpc.StreamStreamMultiCallable, which cannot be subscripted


class StreamedCallError(grpc.RpcError):
    """The error of a streamed call, with the interface of an error that a stub raises.

    Args:
        status: of the call.
        details: the error message of the party.
    """

    def __init__(self, status: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._status = status
        self._details = details

    def code(self) -> grpc.StatusCode:
        """The gRPC status code."""
        return self._status

    def details(self) -> str:
        """The error message of the party."""
        return self._details


class CallStream:
    """Sends calls and receives their replies, in order; one thread may send while another one receives.

    When a gRPC stream breaks, it opens a new one and repeats the unanswered calls. The party answers a repeated call
    with the cached bytes of its first reply, so nothing is computed twice.

    Args:
        method: StreamCalls of the stub.
        retry: how long to keep opening new gRPC streams.
        as_error: converts a gRPC error to a typed error.
        monotonic: seconds of a monotonic clock.
    """

    def __init__(
        self,
        method: StreamMethod,
        retry: RetryPolicy,
        *,
        as_error: Callable[[grpc.RpcError], SplitError],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._method = method
        self._retry = retry
        self._as_error = as_error
        self._monotonic = monotonic
        self._unanswered: deque[pb.StreamCallsRequest] = deque()
        self._stream: GrpcStream | None = None
        self._began = False
        self._closed = False
        # Every call is sent once per gRPC stream: by `send`, or by `_open` if the stream is opened after it.
        self._lock = threading.Lock()

    def send(self, method: str, request: Message) -> None:
        """Sends a call; its reply comes after those of the calls before it.

        Args:
            method: name of the gRPC method.
            request: its message.

        Raises:
            SessionError: the stream was closed.
        """
        call = pb.StreamCallsRequest(method=method, request=request.SerializeToString())
        with self._lock:
            self._check_open()
            self._unanswered.append(call)
            if self._stream is not None:
                self._stream.send(call)
            elif not self._began:  # a stream that broke is reopened by `receive`, with retries
                self._open()

    def receive(self, timeout_seconds: float) -> bytes:
        """Waits for the next reply.

        Args:
            timeout_seconds: longest wait on one gRPC stream; after it, a new one is opened.

        Returns:
            The serialized reply.

        Raises:
            SplitError: the party answered with an error, or the connection stayed lost for longer than calls are
                repeated.
        """
        answer = self._retry.run(lambda: self._answer(timeout_seconds))
        with self._lock:
            if self._unanswered:
                self._unanswered.popleft()
        if answer.status:
            refused = StreamedCallError(STATUSES.get(answer.status, grpc.StatusCode.UNKNOWN), answer.details)
            raise self._as_error(refused) from refused
        return answer.reply

    def close(self) -> None:
        """Ends the stream for good, and drops the unanswered calls."""
        with self._lock:
            self._closed = True
            self._unanswered.clear()
        self._close_stream()

    def _answer(self, timeout_seconds: float) -> pb.StreamCallsReply:
        """Returns the next reply of the current gRPC stream, or of a new one."""
        with self._lock:
            self._check_open()
            stream = self._stream or self._open()
        try:
            return stream.receive(timeout_seconds)
        except grpc.RpcError as error:
            self._close_stream()
            raise self._as_error(error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise SessionError("the session has ended", where="stream")

    def _open(self) -> GrpcStream:
        """Opens a gRPC stream and sends the unanswered calls; the lock must be held."""
        self._began = True
        stream = self._stream = GrpcStream(self._method, self._monotonic)
        for call in self._unanswered:
            stream.send(call)
        return stream

    def _close_stream(self) -> None:
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class GrpcStream:
    """One open call of StreamCalls.

    Args:
        method: StreamCalls of the stub.
        monotonic: seconds of a monotonic clock.
    """

    def __init__(self, method: StreamMethod, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._calls: queue.SimpleQueue[pb.StreamCallsRequest | None] = queue.SimpleQueue()
        self._deadline_seconds: float | None = None
        self._late = False
        self._closed = threading.Event()
        self._call: Any = method(iter(self._calls.get, None))
        self._answers: Iterator[pb.StreamCallsReply] = self._call
        threading.Thread(target=self._watch, name="stream", daemon=True).start()

    def send(self, call: pb.StreamCallsRequest) -> None:
        """Sends a call."""
        self._calls.put(call)

    def receive(self, timeout_seconds: float) -> pb.StreamCallsReply:
        """Waits for the next reply.

        Args:
            timeout_seconds: longest wait.

        Returns:
            The reply.

        Raises:
            grpc.RpcError: the stream ended, or the reply did not arrive in time.
        """
        self._deadline_seconds = self._monotonic() + timeout_seconds
        try:
            return next(self._answers)
        except StopIteration:
            raise StreamedCallError(grpc.StatusCode.UNAVAILABLE, "the stream ended") from None
        except grpc.RpcError as error:
            if self._late:
                raise StreamedCallError(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time") from error
            raise
        finally:
            self._deadline_seconds = None

    def close(self) -> None:
        """Ends the stream."""
        self._closed.set()
        self._calls.put(None)
        self._call.cancel()

    def _watch(self) -> None:
        """Cancels the stream when a reply is overdue; a timeout on each wait would cost a thread switch."""
        while not self._closed.wait(DEADLINE_CHECK_SECONDS):
            deadline_seconds = self._deadline_seconds
            if deadline_seconds is not None and self._monotonic() > deadline_seconds:
                self._late = True
                self._call.cancel()
                return
