"""All findings of one doctor, and how they are shown: as lines for a person, or as one JSON document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TypeVar

import click

from party import __version__
from party.diagnosis.finding import Finding, Severity, of_error, problem
from party.errors import ConfigurationError, SplitError
from party.output.json_document import json_document
from party.output.quantities import counted
from party.output.terminal import hung, print_lines, terminal_columns

READ_ERROR = "do what the message says, then run the doctor again"
SEVERITY_WIDTH = max(map(len, Severity)) + 1
ADVICE = "-> "
GAP = "  "
LEAST_TEXT_COLUMNS = 30  # below it, what continues a line begins far to the left

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

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields a line for each finding, below it one with what to do, and at last a summary.

        Args:
            columns: of the terminal; None for a pipe.
        """
        width = max((len(name) for name in self.findings), default=0)
        hanging = " " * (SEVERITY_WIDTH + width + len(GAP) + 1)
        if columns is not None and columns < len(hanging) + LEAST_TEXT_COLUMNS:
            hanging = GAP
        for name, found in self.findings.items():
            for one in found:
                place = f"{one.where}: " if one.where else ""
                told = [f"{one.severity:<{SEVERITY_WIDTH}} {name:<{width}}{GAP}{place}{one.what}"]
                told += [f"{hanging}{ADVICE}{one.fix}"] if one.fix else []
                for line in told:
                    yield from (line,) if columns is None else hung(line, columns, hanging)
        yield self.summary

    @property
    def summary(self) -> str:
        """One line with the number of problems and warnings."""
        counts = (counted(self.count(one), one) for one in (Severity.PROBLEM, Severity.WARNING))
        return f"{f'{self.program} {self.name}'.strip()}: {', '.join(counts)}"

    def to_json(self) -> str:
        """One JSON document with all findings."""
        content = {
            "name": self.name,
            "version": __version__,
            "problems": self.count(Severity.PROBLEM),
            "warnings": self.count(Severity.WARNING),
            "findings": [
                {"examination": name, **asdict(one)} for name, found in self.findings.items() for one in found
            ],
        }
        return json_document(f"{self.program} doctor", content)

    def show(self, *, as_json: bool) -> None:
        """Shows all findings, and ends a command whose doctor found a problem.

        Args:
            as_json: whether to show one JSON document.

        Raises:
            ConfigurationError: there is a problem.
        """
        if as_json:
            click.echo(self.to_json())
        else:
            print_lines(self.lines(terminal_columns()))
        if self.count(Severity.PROBLEM):
            raise ConfigurationError(
                f"the doctor found {counted(self.count(Severity.PROBLEM), Severity.PROBLEM)}",
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
