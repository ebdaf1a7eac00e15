"""Parts of one or several runs, put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from party.audit.report.audit_part import AuditPart
from party.audit.report.audit_row import AuditRow
from party.audit.report.audited_run import AuditedRun, ConfiguredProtection, ProtectionName
from party.audit.report.judgement import epsilon_ceiling
from party.errors import DataError

VOUCHED = "its authority vouches for it"
NOT_VOUCHED = "no authority was asked: compare the digest with its owner"
UNPROTECTED = "no protection"
AUC = "auc"
ASKED_OF_ALL: ProtectionName = "masked sums"  # the run configuration asks for it; others are each owner's own
FEWEST_PARTIES = 2  # of a run: then there is one feature party


@dataclass(frozen=True, kw_only=True)
class SignedBy:
    """Who signed a part.

    Attributes:
        key_sha256: SHA-256 of the public key, hexadecimal; empty on a party's own page.
        is_vouched: whether the authority of the party vouches for its certificate; not if nobody asked it.
    """

    key_sha256: str = ""
    is_vouched: bool = False

    @property
    def words(self) -> str:
        """Who signed it, for a reader; empty on a party's own page."""
        return f"key {self.key_sha256}; {VOUCHED if self.is_vouched else NOT_VOUCHED}" if self.key_sha256 else ""


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
class ReportedRow:
    """A row, and whose secret it is about.

    Attributes:
        owner: name of the party whose part it is in.
        row: the row.
    """

    owner: str
    row: AuditRow

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What it is about: rows of two runs with one key are compared."""
        row = self.row
        return self.owner, row.secret, row.attack, row.attacker_has, row.attacker


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
        """The parties that configured each protection, and the protection; what the run asks of all stands once."""
        found: dict[ConfiguredProtection, list[str]] = {}
        for one in self.parts:
            for protection in one.part.conditions.protections:
                found.setdefault(protection, []).append(one.part.party)
        return tuple(
            ("all" if protection.name == ASKED_OF_ALL else ", ".join(parties), protection)
            for protection, parties in found.items()
        )

    @property
    def title(self) -> str:
        """Its protections; where there are several feature parties, with the names of those that each protects."""
        return " + ".join(self._title(*one) for one in self.protections) or UNPROTECTED

    def _title(self, parties: str, protection: ConfiguredProtection) -> str:
        everywhere = protection.name == ASKED_OF_ALL or parties == self.run.label_party
        if everywhere or len(self.run.parties) <= FEWEST_PARTIES:
            return protection.title
        return f"{protection.title} at {parties}"

    @property
    def missing(self) -> tuple[str, ...]:
        """Parties of the run whose parts are missing."""
        present = {one.part.party for one in self.parts}
        return tuple(name for name in self.run.parties if name not in present)

    @cached_property
    def rows(self) -> tuple[ReportedRow, ...]:
        """The rows of all parts."""
        return tuple(ReportedRow(one.part.party, row) for one in self.parts for row in one.part.rows)

    @cached_property
    def notes(self) -> dict[str, int]:
        """What a reader has to know of rows, each once, with the number from 1 by which rows refer to it."""
        found = dict.fromkeys(one.row.note for one in self.rows if one.row.note)
        return {note: number for number, note in enumerate(found, start=1)}

    def note_number(self, row: AuditRow) -> str:
        """The number of a row's note; empty without one."""
        return str(self.notes[row.note]) if row.note else ""

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


@dataclass(frozen=True, kw_only=True)
class ComparedAttack:
    """One attack in several runs.

    Attributes:
        owner: name of the party whose secret it is.
        secret: what the attacker is after.
        attack: name of the attack.
        attacker_has: what it has.
        rows: its row in each run; None where a run has none.
    """

    owner: str
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
        by_run = [{one.key: one.row for one in run.rows} for run in self.runs]
        keys = dict.fromkeys(key for rows in by_run for key in rows)
        return tuple(
            ComparedAttack(
                owner=owner,
                secret=secret,
                attack=attack,
                attacker_has=has,
                rows=tuple(rows.get(key) for rows in by_run),
            )
            for key in keys
            for owner, secret, attack, has, _ in (key,)
        )


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
