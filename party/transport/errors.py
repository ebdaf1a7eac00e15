"""Converts typed errors to gRPC status and back."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import accumulate

import grpc

from party.errors import (
    AlignmentError,
    CheckpointError,
    ConfigurationError,
    ConnectionLostError,
    DataError,
    ErrorFields,
    HandshakeError,
    IdentityError,
    InstallationError,
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
from party.transport.unreachable import NO_TLS, cause, is_unresolved, speaks_no_tls

MAXIMUM_MESSAGE_CHARACTERS = 2000  # of all fields of an error together
# gRPC's limit for metadata, which includes the details of a status.
MAXIMUM_DETAILS_BYTES = 8192
BYTES_OF_A_CHARACTER = 3  # at most, for an ASCII character: gRPC escapes `%`; JSON escapes take less
OTHER_FIELDS = tuple(field.name for field in fields(ErrorFields) if field.name != "what")
# Not "handshake": gRPC also says that if a connection merely broke during the TLS handshake.
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
    InstallationError: grpc.StatusCode.FAILED_PRECONDITION,
    InternalError: grpc.StatusCode.INTERNAL,
}


def error_to_status(error: SplitError) -> tuple[grpc.StatusCode, str]:
    """The gRPC status of an error: its public fields only, not what the party's own log says.

    Args:
        error: the error to report.

    Returns:
        The gRPC status and its details: JSON with the error's code and its non-empty fields.
    """
    content = {name: text for name, text in vars(bounded(error.public_fields)).items() if text or name == "what"}
    details = json.dumps({"code": error.code, **content}, ensure_ascii=True)
    return STATUS_BY_ERROR.get(type(error), grpc.StatusCode.INTERNAL), details


def bounded(given: ErrorFields) -> ErrorFields:
    """Makes fields printable and short enough for the details of a status; `what` has precedence.

    Args:
        given: fields of an error; they may contain arbitrary text from a request or a party.

    Returns:
        The fields, with `?` for each unprintable character, truncated if they are too long in total.
    """
    left, cut = MAXIMUM_MESSAGE_CHARACTERS, {}
    for name, text in vars(given).items():
        costs = accumulate(map(_cost, printable(text, left)))
        cut[name] = printable(text, sum(cost <= left for cost in costs))
        left -= sum(map(_cost, cut[name]))
    return ErrorFields(**cut)


def _cost(letter: str) -> int:
    """The length of a character on the wire, in ASCII characters; JSON escapes all others."""
    return 1 if letter.isascii() else -(-(len(json.dumps(letter)) - 2) // BYTES_OF_A_CHARACTER)


def error_text(error: SplitError) -> str:
    """The message of an error for the party's own log, made printable; it may contain text from a request."""
    return printable(str(error), MAXIMUM_MESSAGE_CHARACTERS)


def error_from_rpc(error: grpc.RpcError, party: str, address: str, advice: str = "") -> SplitError:
    """The typed error of a failed RPC.

    Args:
        error: as raised by a stub.
        party: name of the party that was called.
        address: the address that it was called at.
        advice: what else to look at where it cannot be reached, as an imperative; empty if nothing.

    Returns:
        The party's own error, with its fields, if it sent one; otherwise an error that describes the connection.
    """
    details = error.details() or ""
    sent = _parse(details)
    if sent is None:
        return _connection_error(error.code(), details.lower(), party, address=address, advice=advice)
    code, given = sent
    return error_from_code(code, bounded(given), party=party)


def _parse(details: str) -> tuple[str, ErrorFields] | None:
    """Code and fields of an error; None for details that no party of this version sends."""
    if len(details) > MAXIMUM_DETAILS_BYTES:
        return None
    try:
        content = json.loads(details)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or "code" not in content or "what" not in content:
        return None
    code, what = content["code"], content["what"]
    others = {name: content[name] for name in OTHER_FIELDS if name in content}
    if not all(isinstance(text, str) for text in (code, what, *others.values())):
        return None
    return code, ErrorFields(what=what, **others)


def _connection_error(status: grpc.StatusCode, lowered: str, party: str, *, address: str, advice: str) -> SplitError:
    where = f"party {party} at {address}"
    if speaks_no_tls(lowered):
        what = f"no trusted connection could be made: {NO_TLS.what}"
        return IdentityError(what, where=where, fix=_both(NO_TLS.fix, advice))
    if not is_unresolved(lowered) and any(word in lowered for word in IDENTITY_WORDS):
        return _identity_error(lowered, party, where)
    if (
        status is grpc.StatusCode.UNAVAILABLE
        and "socket closed" in lowered
        and any(text in lowered for text in ("failed to connect", "handshake read failed"))
    ):
        # With TLS 1.3, a server that refuses the caller's certificate sends no more than this.
        return ConnectionLostError(
            "closes the connection at once",
            where=where,
            fix=_both(
                f"look at its log: {party} may not trust this certificate, or its ca for this name is another one",
                advice,
            ),
        )
    if status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED):
        what, fix = cause(lowered, address.rpartition(":")[0])
        return ConnectionLostError(what, where=where, fix=_both(fix, advice))
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ConnectionLostError("did not answer in time", where=where, fix="look at its log; raise timeout_seconds")
    return ConnectionLostError(f"call failed with {status.name}", where=where)


def _both(fix: str, advice: str) -> str:
    return "; ".join(filter(None, (fix, advice)))


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
