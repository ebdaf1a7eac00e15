"""Transports of calls to a party: each as a unary gRPC call, or many over one gRPC stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import grpc
from google.protobuf.message import Message

from coordinator.call_stream import CallStream, StreamMethod
from coordinator.retry import RetryPolicy
from coordinator.rpcs import Reply, Rpc
from party.errors import ConnectionLostError, SplitError
from party.pb.party_pb2_grpc import PartyStub

AsError = Callable[[grpc.RpcError], SplitError]


class CallTransport(Protocol):
    """Sends calls to one party, and repeats those that may be repeated when the connection fails."""

    def call(self, rpc: Rpc[Reply], request: Message, *, timeout_seconds: float | None = None) -> Reply:
        """Makes a call and waits for its reply.

        Args:
            rpc: the method to call.
            request: its message.
            timeout_seconds: longest wait for one attempt; by default that of the transport.

        Returns:
            The reply.

        Raises:
            SplitError: the party answered with an error, or the connection stayed lost for longer than calls are
                repeated.
        """

    def begin(self, rpc: Rpc[Reply], request: Message) -> Callable[[], Reply]:
        """Makes a call without waiting.

        Args:
            rpc: the method to call.
            request: its message.

        Returns:
            A function that waits for the reply, and raises as `call` does. The functions of streamed calls must be
            called in the order of the calls.
        """


class UnaryTransport:
    """Makes unary gRPC calls.

    Args:
        stub: of the party.
        retry: how long to repeat calls that may be repeated.
        timeout_seconds: longest wait for one attempt.
        as_error: converts a gRPC error to a typed error.
    """

    def __init__(self, stub: PartyStub, retry: RetryPolicy, *, timeout_seconds: float, as_error: AsError) -> None:
        self.stub = stub
        self._retry = retry
        self._timeout_seconds = timeout_seconds
        self._as_error = as_error

    def call(self, rpc: Rpc[Reply], request: Message, *, timeout_seconds: float | None = None) -> Reply:
        """Makes a call and waits for its reply."""
        timeout_seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds

        def attempt() -> Reply:
            try:
                reply: Reply = getattr(self.stub, rpc.name)(request, timeout=timeout_seconds)
            except grpc.RpcError as error:
                raise self._as_error(error) from error
            return reply

        return self._retry.run(attempt) if rpc.repeatable else attempt()

    def begin(self, rpc: Rpc[Reply], request: Message) -> Callable[[], Reply]:
        """Makes a call without waiting; the result waits for its reply."""
        future = getattr(self.stub, rpc.name).future(request, timeout=self._timeout_seconds)

        def result() -> Reply:
            try:
                reply: Reply = future.result()
            except grpc.RpcError as error:
                failed = self._as_error(error)
                if not (rpc.repeatable and isinstance(failed, ConnectionLostError)):
                    raise failed from error
            else:
                return reply
            return self.call(rpc, request)

        return result


class StreamTransport:
    """Sends calls over one stream, which the first call opens.

    Args:
        method: StreamCalls of the stub.
        retry: how long to keep opening new gRPC streams after one breaks; unanswered calls are repeated.
        timeout_seconds: longest wait for a reply on one gRPC stream.
        as_error: converts a gRPC error to a typed error.
    """

    def __init__(self, method: StreamMethod, retry: RetryPolicy, *, timeout_seconds: float, as_error: AsError) -> None:
        self._method = method
        self._retry = retry
        self._as_error = as_error
        self._stream: CallStream | None = None
        self._timeout_seconds = timeout_seconds

    def call(self, rpc: Rpc[Reply], request: Message, *, timeout_seconds: float | None = None) -> Reply:
        """Makes a call and waits for its reply, which follows the replies of all earlier calls."""
        return self._send(rpc, request, self._timeout_seconds if timeout_seconds is None else timeout_seconds)()

    def begin(self, rpc: Rpc[Reply], request: Message) -> Callable[[], Reply]:
        """Makes a call without waiting; the result waits for its reply."""
        return self._send(rpc, request, self._timeout_seconds)

    def close(self) -> None:
        """Closes the stream, if it is open; the next call opens a new one."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _send(self, rpc: Rpc[Reply], request: Message, timeout_seconds: float) -> Callable[[], Reply]:
        if self._stream is None:
            self._stream = CallStream(self._method, self._retry, as_error=self._as_error)
        stream = self._stream
        stream.send(rpc.name, request)
        return lambda: rpc.reply.FromString(stream.receive(timeout_seconds))


class PartyTransport:
    """Sends all calls to one party over one channel: those of batches over a stream, the others as unary calls.

    Args:
        channel: to the party.
        retry: how long to repeat calls that may be repeated.
        timeout_seconds: longest wait for a reply.
        as_error: converts a gRPC error to a typed error.
    """

    def __init__(self, channel: grpc.Channel, retry: RetryPolicy, *, timeout_seconds: float, as_error: AsError) -> None:
        stub = PartyStub(channel)  # type: ignore[no-untyped-call]  # generated without types
        self._channel = channel
        self._retry = retry
        self.unary = UnaryTransport(stub, retry, timeout_seconds=timeout_seconds, as_error=as_error)
        self.stream = StreamTransport(stub.StreamCalls, retry, timeout_seconds=timeout_seconds, as_error=as_error)

    def call(self, rpc: Rpc[Reply], request: Message, *, timeout_seconds: float | None = None) -> Reply:
        """Makes a call and waits for its reply."""
        return self._carrier(rpc).call(rpc, request, timeout_seconds=timeout_seconds)

    def begin(self, rpc: Rpc[Reply], request: Message) -> Callable[[], Reply]:
        """Makes a call without waiting; the result waits for its reply."""
        return self._carrier(rpc).begin(rpc, request)

    @property
    def repeated(self) -> int:
        """Number of attempts that were repeated because of a connection."""
        return self._retry.repeated

    def close_stream(self) -> None:
        """Closes the stream, if it is open; the next call opens a new one."""
        self.stream.close()

    def close(self) -> None:
        """Closes the channel."""
        self.close_stream()
        self._channel.close()

    def _carrier(self, rpc: Rpc[Reply]) -> CallTransport:
        return self.stream if rpc.streamed else self.unary
