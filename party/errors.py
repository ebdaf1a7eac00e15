"""The tree of typed errors, on which a person or a peer can act.

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
│   └── SessionLostError    a session that a party does not know, or does not know any more
├── CheckpointError         a checkpoint that is missing, damaged or of another history
├── StoppedError            a run that was stopped in an orderly way, and can be resumed
├── ModelError              a model that cannot be built, saved or loaded
├── StorageError            a folder or file that cannot be written or trusted
├── InstallationError       a library that a command needs and does not find
└── InternalError           a defect of this software

An error has fields: what happened, where, what was expected, what was received
and what to do. Its message is composed of them. No field holds a value of data,
a label or an id, and each is a single line.

The message is for the owner's own terminal and log. A coordinator gets
`public_fields`: never a path, and nothing about the owner's data, state or
models except the text that the code which raised the error chose for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import ClassVar, Self

OWN_FILE = "a file of its own"


@dataclass(frozen=True, kw_only=True)
class ErrorFields:
    """The parts of an error's message; all but the first may be empty.

    Attributes:
        what: what happened, without a final full stop.
        where: party, file, column, key or step that it happened at.
        expected: what would have been right.
        received: what was found instead; never a value of data.
        fix: what to do about it, as an imperative.
    """

    what: str
    where: str = ""
    expected: str = ""
    received: str = ""
    fix: str = ""

    @property
    def message(self) -> str:
        """The message: all fields on one line."""
        message = f"{self.where}: {self.what}" if self.where else self.what
        if self.expected:
            message += f"; expected {self.expected}"
        if self.received:
            message += f"; received {self.received}"
        if self.fix:
            message += f"; {self.fix}"
        return message


class SplitError(Exception):
    """The base of all typed errors; its text is meant for a person.

    Args:
        what: what happened, without a final full stop.
        where: party, file, column, key or step that it happened at; a path stays on this machine.
        expected: what would have been right.
        received: what was found instead; never a value of data.
        fix: what to do about it, as an imperative.
        public_message: all that a coordinator gets; if None, the class decides.
        party: name of the party that sent the error; empty for an error of this process.
        path: a path in the fields besides `where`, which stays on this machine.

    Attributes:
        fields: fields of the error; each of them is also an attribute of the error.
        public_fields: the fields that a coordinator gets.
        party: name of the party that sent the error; empty for an error of this process.
    """

    code = "error"
    exit_code = 1
    # What a coordinator gets without a public_message; empty if the fields concern its own request and may be sent.
    summary: ClassVar[str] = ""

    def __init__(
        self,
        what: str,
        *,
        where: object = "",
        expected: str = "",
        received: str = "",
        fix: str = "",
        public_message: str | None = None,
        party: str = "",
        path: PurePath | None = None,
    ) -> None:
        place = str(where)
        given = ErrorFields(what=what, where=place, expected=expected, received=received, fix=fix)
        self.fields = fields = _on_one_line(given)
        self.what, self.where, self.expected = fields.what, fields.where, fields.expected
        self.received, self.fix = fields.received, fields.fix
        private = where if isinstance(where, PurePath) else path
        if private is not None:
            fields = _on_one_line(_without_path(given, private))
        self._without_paths = self.public_fields = fields
        if public_message is not None or self.summary:
            chosen = self.summary if public_message is None else public_message
            self.public_fields = _on_one_line(ErrorFields(what=chosen))
        self.party = party
        super().__init__(_naming(party, self.fields).message)

    @property
    def public_message(self) -> str:
        """The message that a coordinator gets."""
        return self.public_fields.message

    def disclosed(self) -> Self:
        """The same error with all its fields public except paths, for an owner who allows it."""
        error = type(self).from_fields(self._without_paths, party=self.party)
        error.public_fields = self._without_paths
        return error

    @classmethod
    def from_fields(cls, fields: ErrorFields, *, party: str = "") -> Self:
        """Makes an error from its fields.

        Args:
            fields: fields of the error.
            party: name of the party that sent it; empty for an error of this process.

        Returns:
            The error, to be raised.
        """
        return cls(
            fields.what,
            where=fields.where,
            expected=fields.expected,
            received=fields.received,
            fix=fields.fix,
            party=party,
        )


def one_line(text: str) -> str:
    """Makes a text safe for a single line of a terminal.

    Args:
        text: text of an error.

    Returns:
        The text, with a space for each whitespace character and `?` for each other unprintable one.
    """
    return "".join(one if one.isprintable() else " " if one.isspace() else "?" for one in text)


def _on_one_line(fields: ErrorFields) -> ErrorFields:
    return ErrorFields(**{name: one_line(text) for name, text in vars(fields).items()})


def _without_path(fields: ErrorFields, path: PurePath) -> ErrorFields:
    """Removes the path of an error from its other fields too."""
    return ErrorFields(**{name: text.replace(str(path), OWN_FILE) for name, text in vars(fields).items()})


def _naming(party: str, fields: ErrorFields) -> ErrorFields:
    """The fields with the name of the party that sent them in front, unless `where` begins with it."""
    if not party or fields.where.partition(":")[0] == party:
        return fields
    return replace(fields, where=f"{party}: {fields.where}" if fields.where else party)


class ConfigurationError(SplitError):
    """A configuration file that cannot be used."""

    code = "configuration"
    exit_code = 2


class DataError(SplitError):
    """A data file, column, id or label that cannot be used."""

    code = "data"
    exit_code = 3
    summary = "its data cannot be used as they are; its own log says why"


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
    """A session that a party does not know: it was restarted, or serves another session by now."""

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
    summary = "its model cannot be built, saved or loaded; its own log says why"


class StorageError(SplitError):
    """A folder or file of the party's own state that cannot be used."""

    code = "storage"
    exit_code = 12
    summary = "its folders and files cannot be used as they are; its own log says why"


class InstallationError(SplitError):
    """A library that a command needs and that is not installed."""

    code = "installation"
    exit_code = 69  # EX_UNAVAILABLE of sysexits.h, beside EX_SOFTWARE below


class InternalError(SplitError):
    """A defect of this software; details stay in the log of the party."""

    code = "internal"
    exit_code = 70


class StoppedError(SplitError):
    """A run that was stopped in an orderly way: its last checkpoint is saved, and it can be resumed."""

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
        InstallationError,
        InternalError,
    )
}


def error_from_code(code: str, fields: ErrorFields, *, party: str) -> SplitError:
    """Rebuilds an error that crossed the wire.

    Args:
        code: `code` of an error class.
        fields: fields of the error.
        party: name of the party that sent it.

    Returns:
        An error of the class that the code names; an InternalError for a code
        that this version does not know.
    """
    return ERRORS_BY_CODE.get(code, InternalError).from_fields(fields, party=party)
