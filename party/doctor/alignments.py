"""Examines the stored alignments: whether they are of the present files, and how many rows they have in common."""

from __future__ import annotations

from collections.abc import Iterator

from party.alignment.joined_store import JoinedAlignment
from party.alignment.store import AlignmentStore, StoredAlignment
from party.diagnosis.finding import Finding, fine, problem, warning
from party.doctor.subject import PartySubject
from party.output.quantities import share_text

ALIGN = "ask for `coordinator align`"
FOLDER = "alignments"
FEW = 0.1  # of the own rows
COMPARE_IDS = "compare with the peers how each writes its ids, and which rows the files should share"


def examine_alignments(subject: PartySubject) -> Iterator[Finding]:
    """Reads what earlier alignments stored; compares nothing with anybody.

    Args:
        subject: the party.

    Yields:
        One finding for each dataset.
    """
    folder = subject.state / FOLDER
    if not folder.is_dir():
        yield fine("nothing is aligned yet; `coordinator align` does it")
        return
    store, data = AlignmentStore(folder), subject.configuration.data
    if data.joins or data.tables:
        for dataset in store.joined.datasets:
            joined = store.joined.stored(dataset)
            if joined is not None:
                yield _told(subject, dataset, joined, joined.table)
        return
    for dataset in subject.usable:
        stored = store.stored(dataset)
        if stored is None:
            yield fine("is not aligned yet; `coordinator align` does it", dataset)
        else:
            yield _told(subject, dataset, stored, dataset)


def _told(subject: PartySubject, dataset: str, stored: StoredAlignment | JoinedAlignment, file: str) -> Finding:
    known = {subject.configuration.party, *(peer.name for peer in subject.configuration.peers)}
    strangers = sorted(set(stored.parties) - known)
    if strangers:
        return warning(f"was aligned with {', '.join(strangers)}, and peers no longer names them", dataset, fix=ALIGN)
    if file not in subject.usable:
        return warning("is aligned, and its file cannot be used at present", dataset, fix="see the findings on data")
    table = subject.tables.table(file)
    if stored.data_sha256 != bytes.fromhex(table.rows_sha256):
        return problem("the file has changed since it was aligned: no run can use it", dataset, fix=ALIGN)
    share = len(stored.rows) / max(1, table.rows)
    told = share_text(len(stored.rows), table.rows)
    counts = f"{len(stored.rows):,} of {table.rows:,} rows of {file} are in common ({told})"
    return warning(counts, dataset, fix=COMPARE_IDS) if share < FEW else fine(counts, dataset)
