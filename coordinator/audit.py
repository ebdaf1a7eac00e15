"""`coordinator audit`: puts the parts together that the parties made and handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from party.audit.report.audit_part import AuditPart
from party.audit.report.audit_report import AuditReport, ReportedPart, RunReport, SignedBy, report_of
from party.audit.report.judgement import judged
from party.audit.report.signed_part import REPORT_FORMAT, SignedPart, read_parts
from party.errors import DataError, IdentityError
from party.output.json_document import json_document
from party.security.certificates import Usage
from party.security.trust import TrustedName, load_trusted


@dataclass(frozen=True)
class JointAudit:
    """The parts of several parties, and what they say together.

    Attributes:
        parts: as their parties signed them.
        report: of all runs.
    """

    parts: tuple[SignedPart, ...]
    report: AuditReport

    def to_json(self) -> str:
        """One JSON document: what is read, and the signed parts, which `coordinator audit` reads again."""
        content = {
            "format": REPORT_FORMAT,
            "runs": [_run(run) for run in self.report.runs],
            "parts": [one.file.model_dump(mode="json") for one in self.parts],
        }
        return json_document("coordinator audit", content)


def read_all(paths: Sequence[Path]) -> tuple[SignedPart, ...]:
    """Reads the parts of all files.

    Args:
        paths: files of `party audit` or of `coordinator audit`.

    Raises:
        DataError: a file holds no parts, or one that was changed after it was signed.
        StorageError: a file cannot be read.
    """
    return tuple(part for path in paths for part in read_parts(path))


def joint_audit(parts: Sequence[SignedPart], configuration: Path | None) -> JointAudit:
    """Puts parts together by run; verdicts follow from the figures of each row, not from what a part says.

    Args:
        parts: parts whose signatures were verified.
        configuration: the run's YAML file, whose authorities have to vouch for the signers; None to check none.

    Raises:
        DataError: parts of one run contradict each other, or one is given twice.
        IdentityError: an authority does not vouch for a signer.
    """
    trusted = None if configuration is None else _trusted(configuration)
    if trusted is not None:
        for one in parts:
            _require_vouched(one, trusted)
    is_vouched = trusted is not None
    report = report_of(
        ReportedPart(_judged(one.part), SignedBy(key_sha256=one.key_sha256, is_vouched=is_vouched)) for one in parts
    )
    return JointAudit(tuple(parts), report)


def _run(run: RunReport) -> dict[str, object]:
    return {
        **run.run.model_dump(mode="json"),
        "title": run.title,
        "protections": [{"parties": names, **one.model_dump(mode="json")} for names, one in run.protections],
        "missing": run.missing,
        "signed_by": {one.part.party: one.signed_by for one in run.parts},
        "attacks": [{"owner": one.owner, **one.row.model_dump(mode="json")} for one in run.rows],
    }


def _judged(part: AuditPart) -> AuditPart:
    return part.model_copy(update={"rows": tuple(judged(row) for row in part.rows)})


def _trusted(path: Path) -> dict[str, TrustedName]:
    configuration = load_coordinator_configuration(path)
    return load_trusted(configuration.parties, configuration.folder)


def _require_vouched(one: SignedPart, trusted: dict[str, TrustedName]) -> None:
    """Refuses a part of a stranger, and one whose certificate was not valid when it was made."""
    name = one.part.party
    if name not in trusted:
        raise IdentityError(
            "is no party of this file's run", where=f"part of {name[:64]}", expected=", ".join(sorted(trusted))
        )
    try:
        made_at = datetime.fromisoformat(one.part.made_at)
    except ValueError:
        made_at = None
    if made_at is None or made_at.tzinfo is None:
        raise DataError("does not say when it was made", where=f"part of {name}")
    trusted[name].verify(one.chain[0], one.chain[1:], Usage.PARTY, made_at)
