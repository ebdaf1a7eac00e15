"""The tree of errors that a person or a peer can act on.

SplitError
├── ConfigurationError      a key, a value or a combination in a YAML file
├── DataError               a file, a column, an id or a label
├── IdentityError           a certificate or a name
├── ConnectionLostError     a party that cannot be reached, or died
├── HandshakeError          parties that do not agree on what to run
├── SealError               a relayed message that was altered, moved or repeated
├── TensorError             a message whose tensors are not those that were agreed
├── AlignmentError          rows that are not, or not yet, in the same order
├── PolicyError             a request that a party's owner does not allow
├── SessionError            a call out of order, or a party that is busy
│   └── SessionLostError    a session that a party does not know, or no longer
├── CheckpointError         a checkpoint that is missing, damaged or of another history
├── StoppedError            a run that was stopped in order, and can go on
├── ModelError              a model that cannot be built, saved or loaded
├── StorageError            a folder or file that cannot be written or trusted
└── InternalError           a defect of this software

A message says what happened, where, what was expected, what was received and
what to do. It never holds a value of data, a label or an id.
"""

from __future__ import annotations


class SplitError(Exception):
    """An error whose text is meant for a person.

    Args:
        what: what happened, without a final full stop.
        where: party, file, column, key or step that it happened at.
        expected: what would have been right.
        received: what was there instead; never a value of data.
        fix: what to do about it, as an imperative.
    """

    code = "error"
    exit_code = 1

    def __init__(self, what: str, *, where: object = "", expected: str = "", received: str = "", fix: str = "") -> None:
        message = f"{where}: {what}" if where else what
        if expected:
            message += f"; expected {expected}"
        if received:
            message += f"; received {received}"
        if fix:
            message += f"; {fix}"
        super().__init__(message)


class ConfigurationError(SplitError):
    """A configuration file that cannot be used."""

    code = "configuration"
    exit_code = 2


class DataError(SplitError):
    """A data file, column, id or label that cannot be used."""

    code = "data"
    exit_code = 3


class IdentityError(SplitError):
    """A certificate, key or name that cannot be trusted."""

    code = "identity"
    exit_code = 4


class ConnectionLostError(SplitError):
    """A party that cannot be reached or stopped answering."""

    code = "connection"
    exit_code = 5


class HandshakeError(SplitError):
    """Parties that do not agree on what to run, or with whom."""

    code = "handshake"
    exit_code = 6


class SealError(SplitError):
    """A relayed message that was altered, swapped, replayed or left out."""

    code = "seal"
    exit_code = 7


class TensorError(SplitError):
    """A message whose tensors are not those that were agreed."""

    code = "tensor"
    exit_code = 13


class AlignmentError(SplitError):
    """Rows that are not in the same order at every party."""

    code = "alignment"
    exit_code = 8


class PolicyError(SplitError):
    """A request that the owner of a party does not allow; names the rule."""

    code = "policy"
    exit_code = 9


class SessionError(SplitError):
    """A call that is out of order, or a party that serves somebody else."""

    code = "session"
    exit_code = 10


class SessionLostError(SessionError):
    """A session that a party does not know: it was restarted, or serves another one by now."""

    code = "session_lost"
    exit_code = 15


class CheckpointError(SplitError):
    """A checkpoint that is missing, damaged, or belongs to another history of the run."""

    code = "checkpoint"
    exit_code = 14


class ModelError(SplitError):
    """A model that cannot be built, saved or loaded."""

    code = "model"
    exit_code = 11


class StorageError(SplitError):
    """A folder or file of the party's own state that cannot be used."""

    code = "storage"
    exit_code = 12


class InternalError(SplitError):
    """A defect of this software; details stay in the log of the party."""

    code = "internal"
    exit_code = 70


class StoppedError(SplitError):
    """A run that was stopped in order: what it came to is kept, and it can go on."""

    code = "stopped"
    exit_code = 16


INTERRUPTED_EXIT_CODE = 130

ERRORS_BY_CODE: dict[str, type[SplitError]] = {
    kind.code: kind
    for kind in (
        ConfigurationError,
        DataError,
        IdentityError,
        ConnectionLostError,
        HandshakeError,
        SealError,
        TensorError,
        AlignmentError,
        PolicyError,
        SessionError,
        SessionLostError,
        CheckpointError,
        StoppedError,
        ModelError,
        StorageError,
        InternalError,
    )
}


def error_from_code(code: str, message: str) -> SplitError:
    """Rebuilds an error that crossed the wire.

    Args:
        code: `code` of an error class.
        message: text of the error.

    Returns:
        An error of the class that the code names; an InternalError for a code
        that this version does not know.
    """
    return ERRORS_BY_CODE.get(code, InternalError)(message)
