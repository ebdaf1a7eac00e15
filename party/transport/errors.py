"""Errors across the wire: the typed tree to gRPC status and back."""

from __future__ import annotations

import json

import grpc

from party.errors import (
    AlignmentError,
    CheckpointError,
    ConfigurationError,
    ConnectionLostError,
    DataError,
    HandshakeError,
    IdentityError,
    InternalError,
    ModelError,
    PolicyError,
    SealError,
    SessionError,
    SessionLostError,
    SplitError,
    StoppedError,
    StorageError,
    TensorError,
    error_from_code,
)
from party.security.printable import printable

MAXIMUM_MESSAGE_LENGTH = 2000
# Not "handshake": gRPC says that also of a connection that merely broke while TLS began.
IDENTITY_WORDS = ("certificate", "ssl_error", "tsi_protocol_failure", "hostname", "peer name")

STATUS_BY_ERROR: dict[type[SplitError], grpc.StatusCode] = {
    ConfigurationError: grpc.StatusCode.INVALID_ARGUMENT,
    DataError: grpc.StatusCode.FAILED_PRECONDITION,
    IdentityError: grpc.StatusCode.UNAUTHENTICATED,
    ConnectionLostError: grpc.StatusCode.UNAVAILABLE,
    HandshakeError: grpc.StatusCode.FAILED_PRECONDITION,
    SealError: grpc.StatusCode.DATA_LOSS,
    TensorError: grpc.StatusCode.INVALID_ARGUMENT,
    AlignmentError: grpc.StatusCode.FAILED_PRECONDITION,
    PolicyError: grpc.StatusCode.PERMISSION_DENIED,
    SessionError: grpc.StatusCode.FAILED_PRECONDITION,
    SessionLostError: grpc.StatusCode.FAILED_PRECONDITION,
    CheckpointError: grpc.StatusCode.FAILED_PRECONDITION,
    StoppedError: grpc.StatusCode.CANCELLED,
    ModelError: grpc.StatusCode.FAILED_PRECONDITION,
    StorageError: grpc.StatusCode.INTERNAL,
    InternalError: grpc.StatusCode.INTERNAL,
}


def error_to_status(error: SplitError) -> tuple[grpc.StatusCode, str]:
    """What a party answers instead of a reply.

    Args:
        error: to report.

    Returns:
        The gRPC status and its details: JSON with the error's code and message.
    """
    details = json.dumps({"code": error.code, "message": error_text(error)}, ensure_ascii=True)
    return STATUS_BY_ERROR.get(type(error), grpc.StatusCode.INTERNAL), details


def error_text(error: SplitError) -> str:
    """The message of an error as one line: a request may have put anything into it."""
    return printable(str(error), MAXIMUM_MESSAGE_LENGTH)


def error_from_rpc(error: grpc.RpcError, party: str, address: str) -> SplitError:
    """The typed error that an RPC failed with.

    Args:
        error: as raised by a stub.
        party: that was called.
        address: that it was called at.

    Returns:
        The party's own error where it sent one; else an error that tells what the connection did.
    """
    status = error.code()
    details = error.details() or ""
    try:
        content = json.loads(details)
        code, message = str(content["code"]), str(content["message"])
    except (ValueError, KeyError, TypeError):
        return _connection_error(status, details, party, address)
    message = printable(message, MAXIMUM_MESSAGE_LENGTH)
    return error_from_code(code, message if message.startswith(f"{party}:") else f"{party}: {message}")


def _connection_error(status: grpc.StatusCode, details: str, party: str, address: str) -> SplitError:
    where = f"party {party} at {address}"
    lowered = details.lower()
    if any(word in lowered for word in IDENTITY_WORDS):
        return _identity_error(lowered, party, where)
    if (
        status is grpc.StatusCode.UNAVAILABLE
        and "socket closed" in lowered
        and any(text in lowered for text in ("failed to connect", "handshake read failed"))
    ):
        # With TLS 1.3 a server that refuses the caller's certificate says no more than this.
        return ConnectionLostError(
            "closes the connection at once",
            where=where,
            fix=f"look at its log: {party} may not trust this certificate, or its ca for this name is another one",
        )
    if status is grpc.StatusCode.UNAVAILABLE:
        return ConnectionLostError(
            "cannot be reached",
            where=where,
            fix="check that `party serve` runs there, the address, and any firewall between",
        )
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ConnectionLostError("did not answer in time", where=where, fix="look at its log; raise timeout_seconds")
    return ConnectionLostError(f"call failed with {status.name}", where=where)


def _identity_error(lowered: str, party: str, where: str) -> IdentityError:
    if "hostname" in lowered or "peer name" in lowered:
        return IdentityError(
            "the certificate there carries another name",
            where=where,
            expected=f"a certificate of {party}",
            fix="check the address and the name in parties",
        )
    if "expired" in lowered:
        return IdentityError("the certificate there has expired", where=where, fix=f"{party} must renew it")
    return IdentityError(
        "no trusted connection could be made",
        where=where,
        fix="check that each side's ca file is the other's authority, and that no certificate has expired",
    )
