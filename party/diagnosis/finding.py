"""One thing that an examination found, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from party.errors import ErrorFields, SplitError, one_line


class Severity(StrEnum):
    """How serious a finding is; a problem keeps something from working."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding; each of its texts is a single line and holds no value of data.

    Attributes:
        severity: how serious it is.
        what: what was found, without a final full stop.
        where: file, key, party or address that it concerns; empty if it concerns the machine.
        fix: what to do, as an imperative; empty only where all is well.

    Raises:
        ValueError: a warning or a problem does not say what to do.
    """

    severity: Severity
    what: str
    where: str = ""
    fix: str = ""

    def __post_init__(self) -> None:
        if self.severity is not Severity.OK and not self.fix:
            raise ValueError("a finding says what to do")
        for name in ("what", "where", "fix"):
            object.__setattr__(self, name, one_line(getattr(self, name)))


def fine(what: str, where: object = "") -> Finding:
    """A finding that all is well.

    Args:
        what: what was found.
        where: what it concerns.
    """
    return _finding(Severity.OK, what, where, "")


def warning(what: str, where: object = "", *, fix: str) -> Finding:
    """A finding that works at present and may not later, or not as meant.

    Args:
        what: what was found.
        where: what it concerns.
        fix: what to do, as an imperative.
    """
    return _finding(Severity.WARNING, what, where, fix)


def problem(what: str, where: object = "", *, fix: str) -> Finding:
    """A finding that keeps something from working.

    Args:
        what: what was found.
        where: what it concerns.
        fix: what to do, as an imperative.
    """
    return _finding(Severity.PROBLEM, what, where, fix)


def of_error(error: SplitError, fix: str) -> Finding:
    """The problem that an error tells of.

    Args:
        error: as the examined part raised it.
        fix: what to do where the error does not say it.
    """
    told = ErrorFields(what=error.what, expected=error.expected, received=error.received)
    return problem(told.message, error.where or error.party, fix=error.fix or fix)


def _finding(severity: Severity, what: str, where: object, fix: str) -> Finding:
    place = str(where)
    return Finding(severity=severity, what=what, where=place, fix=fix)
