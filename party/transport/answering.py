"""Answers calls: authorises the caller, then reads the request, and returns only what errors may disclose."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from party.errors import ConnectionLostError, DataError, InternalError, SessionError, SplitError
from party.protocol.deferred import Deferred
from party.runtime.context import PartyContext
from party.security.fields import has_at_most_fields
from party.transport.call_places import CallPlaces
from party.transport.call_streams import Answer, Behaviour
from party.transport.descriptors import are_used_up
from party.transport.errors import error_text, error_to_status

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply")
CallerName = Callable[[grpc.ServicerContext], str]
MAXIMUM_FIELDS = 1024  # of any request: a few for each party

logger = logging.getLogger(__name__)


class Answering:
    """Makes the behaviours of a service's methods.

    Requests arrive as bytes: the caller is authorised before anything is parsed.

    Args:
        context: the party's context.
        caller_name: returns the name of the coordinator that made a call; raises if it may not call.
    """

    def __init__(self, context: PartyContext, caller_name: CallerName) -> None:
        self._context = context
        self._caller_name = caller_name
        self._places = CallPlaces(context.party)

    def use(self, context: PartyContext) -> None:
        """Uses another context, and so another policy, for the calls that follow.

        Args:
            context: the party's new context.
        """
        self._context = context

    def behaviour(
        self,
        kind: type[Request],
        call: Callable[[Request, bytes, str], Message | bytes | Deferred[bytes]],
        maximum_bytes: int | None = None,
    ) -> Behaviour:
        """Makes the behaviour of a method: it returns the reply as bytes, or the error, at once or deferred.

        Args:
            kind: message type of the request.
            call: answers a request, given the parsed request, its bytes and the name of the caller.
            maximum_bytes: longest request that is accepted; None where the transport's own limit is enough.
        """

        def behaviour(raw: bytes, context: grpc.ServicerContext) -> Answer | Deferred[Answer]:
            def begin() -> bytes | Deferred[bytes]:
                caller = self._caller_name(context)
                reply = call(self._parse(kind, raw, maximum_bytes), raw, caller)
                return reply.SerializeToString() if isinstance(reply, Message) else reply

            reply = self._guarded(kind.DESCRIPTOR.name, begin)
            if not isinstance(reply, Deferred):
                return reply
            answer = Deferred(lambda: self._guarded(kind.DESCRIPTOR.name, reply.result))
            return answer.result() if reply.is_ready else answer

        return behaviour

    def unary(self, method: str, behaviour: Behaviour) -> Callable[[Iterator[bytes], grpc.ServicerContext], bytes]:
        """Makes a unary call from a handler that streams requests; both are the same on the wire.

        For a unary handler, gRPC would block a thread until the message arrives, even for callers that are not
        authorised.

        Args:
            method: name of the call, for the log.
            behaviour: behaviour of the call.

        Returns:
            The handler of the call for gRPC.
        """

        def answer(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            reply = self._guarded(f"{method}Request", lambda: self._receive(requests, context, behaviour))
            if isinstance(reply, bytes):
                return reply
            status, details = error_to_status(reply)
            context.set_code(status)
            context.set_details(details)
            return b""

        return answer

    def _receive(self, requests: Iterator[bytes], context: grpc.ServicerContext, behaviour: Behaviour) -> Answer:
        """Waits for the only message of a call, after the caller is authorised, and answers it."""
        with self._places.place(self._caller_name(context), context) as received:
            try:
                raw = next(requests, b"")
            except grpc.RpcError:
                raise SessionError(
                    "the call was cancelled before its request came", where=self._context.party
                ) from None
            received()
            reply = behaviour(raw, context)  # authorises the caller once more: trust may have ended meanwhile
            return reply.result() if isinstance(reply, Deferred) else reply

    def _guarded(self, request: str, compute: Callable[[], Reply]) -> Reply | SplitError:
        try:
            return compute()
        except SplitError as error:
            refusal = self._no_descriptors() if are_used_up(error) else error
            logger.warning("%s refused: %s", request, error_text(refusal))
            if isinstance(refusal, DataError) and self._context.admission.shares_schema:
                return refusal.disclosed()
            return refusal
        except Exception as error:  # gRPC would send the text of any exception, possibly with data, to the caller
            if are_used_up(error):
                logger.warning("%s refused: %s", request, error_text(self._no_descriptors()))
                return self._no_descriptors()
            self._log_defect(request, error)
            return InternalError(f"failed ({type(error).__name__}), see its log", where=self._context.party)

    def _no_descriptors(self) -> ConnectionLostError:
        """The error for a lack of file descriptors, which passes: a coordinator waits and retries."""
        return ConnectionLostError(
            "has no file descriptor left at the moment",
            where=self._context.party,
            fix="raise the limit of open files, and see who holds connections to its port",
        )

    def _parse(self, kind: type[Request], raw: bytes, maximum_bytes: int | None) -> Request:
        if maximum_bytes is not None and len(raw) > maximum_bytes:
            raise SessionError("request is too long", where=self._context.party, expected=f"at most {maximum_bytes}")
        try:
            if not has_at_most_fields(raw, MAXIMUM_FIELDS):
                raise DecodeError
            return kind.FromString(raw)
        except DecodeError:
            raise SessionError("request cannot be parsed", where=self._context.party) from None

    def _log_defect(self, request: str, error: Exception) -> None:
        """Logs where a defect arose, without its text, which may hold data."""
        frames = _frames(error)
        logger.error("%s failed with %s at %s", request, type(error).__name__, " < ".join(frames))


def _frames(error: BaseException) -> Sequence[str]:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[::-1]
