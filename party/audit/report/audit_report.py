"""Parts of one or several runs, put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from party.audit.report.audit_part import AuditPart
from party.audit.report.audit_row import AuditRow
from party.audit.report.audited_run import AuditedRun, ConfiguredProtection
from party.audit.report.judgement import epsilon_ceiling
from party.errors import DataError

UNPROTECTED = "no protection"
AUC = "auc"


@dataclass(frozen=True, kw_only=True)
class SignedBy:
    """Who signed a part.

    Attributes:
        key_sha256: SHA-256 of the public key, hexadecimal; empty on a party's own page.
        is_vouched: whether the authority of the party vouches for its certificate, or nobody checked.
    """

    key_sha256: str = ""
    is_vouched: bool = False


@dataclass(frozen=True)
class ReportedPart:
    """A part, and who signed it.

    Attributes:
        part: the part.
        signed_by: who signed it.
    """

    part: AuditPart
    signed_by: SignedBy = SignedBy()


@dataclass(frozen=True)
class RunReport:
    """All parts of one run.

    Attributes:
        parts: at least one, each of another party, ascending by party.
    """

    parts: tuple[ReportedPart, ...]

    @property
    def run(self) -> AuditedRun:
        """The run."""
        return self.parts[0].part.conditions.run

    @property
    def protections(self) -> tuple[tuple[str, ConfiguredProtection], ...]:
        """The party and each protection that it configured; what the run asks of all stands once."""
        found: dict[ConfiguredProtection, str] = {}
        for one in self.parts:
            for protection in one.part.conditions.protections:
                found[protection] = "all" if protection in found else one.part.party
        return tuple((party, protection) for protection, party in found.items())

    @property
    def title(self) -> str:
        """Its protections."""
        return " + ".join(protection.title for _, protection in self.protections) or UNPROTECTED

    @property
    def missing(self) -> tuple[str, ...]:
        """Parties of the run whose parts are missing."""
        present = {one.part.party for one in self.parts}
        return tuple(name for name in self.run.parties if name not in present)

    @property
    def rows(self) -> tuple[AuditRow, ...]:
        """The rows of all parts; equal ones stand once."""
        return tuple(dict.fromkeys(row for one in self.parts for row in one.part.rows))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know of rows; each stands once, and rows refer to it by its number from 1."""
        return tuple(dict.fromkeys(row.note for row in self.rows if row.note))

    def note_number(self, row: AuditRow) -> str:
        """The number of a row's note; empty without one."""
        return str(self.notes.index(row.note) + 1) if row.note else ""

    @property
    def test_metrics(self) -> dict[str, float]:
        """Metrics of the label party's latest evaluation that are areas under the ROC curve."""
        for one in self.parts:
            if one.part.evaluation is not None:
                metrics = one.part.evaluation.metrics
                return {name: value for name, value in metrics.items() if name.endswith(AUC) and value is not None}
        return {}

    @property
    def ceilings(self) -> tuple[tuple[str, float, float], ...]:
        """Name, epsilon and ceiling of each protection that has an epsilon."""
        return tuple(
            (protection.name, protection.epsilon, epsilon_ceiling(protection.epsilon))
            for _, protection in self.protections
            if protection.epsilon is not None
        )


@dataclass(frozen=True)
class ComparedAttack:
    """One attack in several runs.

    Attributes:
        secret: what the attacker is after.
        attack: name of the attack.
        attacker_has: what it has.
        rows: its row in each run; None where a run has none.
    """

    secret: str
    attack: str
    attacker_has: str
    rows: tuple[AuditRow | None, ...]


@dataclass(frozen=True)
class AuditReport:
    """Runs beside each other, the ones without protections first.

    Attributes:
        runs: at least one.
    """

    runs: tuple[RunReport, ...]

    @property
    def comparison(self) -> tuple[ComparedAttack, ...]:
        """Every attack in every run, in the order in which the runs have them; empty for a single run."""
        if len(self.runs) < 2:  # noqa: PLR2004
            return ()
        by_run = [
            {(row.secret, row.attack, row.attacker_has, row.attacker): row for row in run.rows} for run in self.runs
        ]
        keys = dict.fromkeys(key for rows in by_run for key in rows)
        return tuple(ComparedAttack(*key[:3], tuple(rows.get(key) for rows in by_run)) for key in keys)


def report_of(parts: Iterable[ReportedPart]) -> AuditReport:
    """Groups parts by run.

    Args:
        parts: in any order.

    Raises:
        DataError: two parts are of one party and run, or parts of one run contradict each other.
    """
    by_run: dict[str, list[ReportedPart]] = {}
    for one in parts:
        by_run.setdefault(one.part.conditions.run.run_id, []).append(one)
    runs = [_run_report(run_id, members) for run_id, members in by_run.items()]
    return AuditReport(tuple(sorted(runs, key=lambda run: (len(run.protections), run.title, run.run.run_id))))


def _run_report(run_id: str, members: Sequence[ReportedPart]) -> RunReport:
    where = f"run {run_id[:8]}"
    names = [one.part.party for one in members]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"two parts are of party {twice[0]}", where=where, fix="give one part of each party and run")
    first = members[0].part
    for one in members[1:]:
        differing = [name for name, value in first.conditions.run if getattr(one.part.conditions.run, name) != value]
        if differing:
            raise DataError(
                f"the parts of {first.party} and {one.part.party} are not of the same run: {differing[0]} differs",
                where=where,
                fix="ask both owners which run they audited",
            )
    return RunReport(tuple(sorted(members, key=lambda one: one.part.party)))
