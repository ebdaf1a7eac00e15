"""`party audit`: the audit of a run, printed and written to files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from party.audit.report.audit_part import AuditPart
from party.audit.report.audit_report import AuditReport, ReportedPart, SignedBy, report_of
from party.audit.report.signed_part import part_to_bytes
from party.audit.report.written_report import write_page
from party.output.json_document import json_document
from party.own_audit import audit_part
from party.runtime.column_ranges import load_with_columns
from party.security.certificates import Usage, own_identity, spki_sha256
from party.security.clock import utc_now
from party.security.files import write_atomically


@dataclass(frozen=True, kw_only=True)
class WrittenAudit:
    """An audit of a run, and the files that it wrote.

    Attributes:
        part: what was found.
        part_file: the signed part; None for none.
        page: the HTML page; None for none.
        report: what people read.
    """

    part: AuditPart
    part_file: Path | None
    page: Path | None
    report: AuditReport

    def to_json(self) -> str:
        """One JSON document."""
        files = {"part_file": self.part_file, "page": self.page}
        return json_document("party audit", {**self.part.model_dump(mode="json"), **files})


def write_audit(
    path: Path, run_id: str | None, *, part_file: Path | None, page: Path | None, seed: int
) -> WrittenAudit:
    """Audits a run of this party, and writes the signed part and the page.

    Args:
        path: the party's YAML file.
        run_id: id of the run, possibly shortened; None for the latest one.
        part_file: file for the signed part; None for none.
        page: HTML file; None for none.
        seed: of the attackers' choices.

    Raises:
        DataError: the files or their settings are not those of the run any more.
        SplitError: a file cannot be read.
        StorageError: the run was not recorded, or a file cannot be written.
    """
    configuration = load_with_columns(path)
    certificate, key = configuration.path(configuration.tls.certificate), configuration.path(configuration.tls.key)
    identity = own_identity(configuration.party, certificate, key, usage=Usage.PARTY, now=utc_now())
    part = audit_part(configuration, run_id, seed=seed, now=utc_now())
    if part_file is not None:
        write_atomically(part_file, part_to_bytes(part, identity))
    key_sha256 = "" if part_file is None else spki_sha256(identity.chain[0])
    report = report_of([ReportedPart(part, SignedBy(key_sha256=key_sha256))])
    if page is not None:
        write_page(report, page)
    return WrittenAudit(part=part, part_file=part_file, page=page, report=report)
