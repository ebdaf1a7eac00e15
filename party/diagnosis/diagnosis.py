"""All findings of one doctor, and how they are shown: as lines for a person, or as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TypeVar

from party import __version__
from party.diagnosis.finding import Finding, Severity, of_error, problem
from party.errors import ConfigurationError, SplitError

READ_ERROR = "do what the message says, then run the doctor again"
SEVERITY_WIDTH = max(map(len, Severity)) + 1
ADVICE = "-> "

Subject = TypeVar("Subject")
Examination = Callable[[Subject], Iterable[Finding]]


@dataclass(frozen=True)
class Diagnosis:
    """The findings of one doctor.

    Attributes:
        program: `party` or `coordinator`.
        name: of the party or coordinator; empty where its file cannot be read.
        findings: by examination, in their order.
    """

    program: str
    name: str
    findings: Mapping[str, tuple[Finding, ...]]

    def count(self, severity: Severity) -> int:
        """The number of findings of a severity."""
        return sum(one.severity is severity for found in self.findings.values() for one in found)

    def lines(self) -> Iterator[str]:
        """Yields a line for each finding, below it one with what to do, and at last a summary."""
        width = max((len(name) for name in self.findings), default=0)
        for name, found in self.findings.items():
            for one in found:
                place = f"{one.where}: " if one.where else ""
                yield f"{one.severity:<{SEVERITY_WIDTH}} {name:<{width}}  {place}{one.what}"
                if one.fix:
                    yield f"{'':<{SEVERITY_WIDTH}} {'':<{width}}  {ADVICE}{one.fix}"
        yield self.summary

    @property
    def summary(self) -> str:
        """One line with the number of problems and warnings."""
        counts = (_counted(self.count(one), one) for one in (Severity.PROBLEM, Severity.WARNING))
        return f"{f'{self.program} {self.name}'.strip()}: {', '.join(counts)}"

    def to_json(self) -> str:
        """One JSON document with all findings."""
        content = {
            "program": self.program,
            "name": self.name,
            "version": __version__,
            "problems": self.count(Severity.PROBLEM),
            "warnings": self.count(Severity.WARNING),
            "findings": [
                {"examination": name, **asdict(one)} for name, found in self.findings.items() for one in found
            ],
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    def show(self, write: Callable[[str], object], *, as_json: bool) -> None:
        """Shows all findings, and ends a command whose doctor found a problem.

        Args:
            write: called with each line, or with the JSON document.
            as_json: whether to show that.

        Raises:
            ConfigurationError: there is a problem.
        """
        for text in (self.to_json(),) if as_json else self.lines():
            write(text)
        if self.count(Severity.PROBLEM):
            raise ConfigurationError(
                f"the doctor found {_counted(self.count(Severity.PROBLEM), Severity.PROBLEM)}",
                fix="do what is said above",
            )


def examined(subject: Subject, examinations: Mapping[str, Examination[Subject]]) -> dict[str, tuple[Finding, ...]]:
    """Makes all examinations; one that fails is a problem itself, and the others go on.

    Args:
        subject: what they examine.
        examinations: by name, in their order.

    Returns:
        The findings by name.
    """
    return {name: tuple(_findings(subject, examination)) for name, examination in examinations.items()}


def _findings(subject: Subject, examination: Examination[Subject]) -> Iterator[Finding]:
    try:
        yield from examination(subject)
    except SplitError as error:
        yield of_error(error, READ_ERROR)
    except OSError as error:
        yield problem(
            f"cannot be examined: {error.strerror or type(error).__name__}", fix="see the rights of this user"
        )


def _counted(count: int, severity: Severity) -> str:
    return f"{count} {severity}{'' if count == 1 else 's'}"
