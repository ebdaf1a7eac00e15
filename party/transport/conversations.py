"""Many calls over one open stream: a stream costs a third less time than a gRPC call for each batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import grpc
from google.protobuf.message import DecodeError

from party.errors import ConnectionLostError, SessionError, SplitError
from party.pb import party_pb2 as pb
from party.security.fields import has_at_most_fields
from party.security.printable import printable
from party.transport.errors import error_to_status

Behaviour = Callable[[bytes, grpc.ServicerContext], bytes | SplitError]
MAXIMUM_FIELDS = 2  # of a ConverseRequest
MAXIMUM_CONVERSATIONS = 4  # each holds a thread of the server for as long as it is open; a further one ends the oldest


class Conversations:
    """Answers the calls that arrive over streams, each as if it had come alone.

    Args:
        party: own name, for errors.
        behaviours: how the calls that may be streamed are answered, by method.
        authorise: raises where the caller of a stream may not call.
    """

    def __init__(
        self,
        party: str,
        behaviours: Mapping[str, Behaviour],
        authorise: Callable[[grpc.ServicerContext], object],
    ) -> None:
        self.behaviours = behaviours
        self._authorise = authorise
        self._party = party
        self._lock = threading.Lock()
        self._open: dict[grpc.ServicerContext, None] = {}  # in the order in which they were opened
        self._idle: set[grpc.ServicerContext] = set()
        self._stopping = False

    def converse(self, calls: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Answers the calls of one stream, one after the other.

        Args:
            calls: serialized `ConverseRequest` messages.
            context: of the stream; the caller is authorised anew for every call.

        Yields:
            Serialized `ConverseReply` messages in the same order.
        """
        try:
            self._begin(context)
        except SplitError as error:
            yield _answer(error)
            return
        try:
            for raw in calls:
                with self._lock:
                    self._idle.discard(context)
                yield _answer(self._reply(raw, context))
                with self._lock:
                    if self._stopping:
                        return
                    self._idle.add(context)
        finally:
            with self._lock:
                self._open.pop(context, None)
                self._idle.discard(context)

    def hang_up(self) -> None:
        """Ends every stream, those with a call under way after its answer; further ones are refused."""
        with self._lock:
            self._stopping = True
            idle = list(self._idle)
        for context in idle:
            context.cancel()

    def _begin(self, context: grpc.ServicerContext) -> None:
        self._authorise(context)
        with self._lock:
            if self._stopping:
                raise ConnectionLostError("is stopping", where=self._party)
            oldest = next(iter(self._open)) if len(self._open) >= MAXIMUM_CONVERSATIONS else None
            if oldest is not None:
                del self._open[oldest]
            self._open[context] = None
            self._idle.add(context)
        if oldest is not None:
            # A caller whose connection broke comes back before this side has noticed: its old streams must not
            # keep it out.
            oldest.cancel()

    def _reply(self, raw: bytes, context: grpc.ServicerContext) -> bytes | SplitError:
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


def _answer(reply: bytes | SplitError) -> bytes:
    if isinstance(reply, bytes):
        return pb.ConverseReply(reply=reply).SerializeToString()
    status, details = error_to_status(reply)
    return pb.ConverseReply(status=status.value[0], details=details).SerializeToString()
