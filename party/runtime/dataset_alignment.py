"""An alignment of datasets that all parties have, by one id in all of them."""

from __future__ import annotations

from collections.abc import Mapping

from party.alignment.feature_side import FeatureSide
from party.alignment.pool import WorkerPool
from party.alignment.store import StoredAlignment
from party.alignment.terms import AlignmentTerms
from party.data.table import Table
from party.pb.handshake_pb2 import DatasetRows, Hello
from party.policy.requests import Release
from party.runtime.alignment_work import AlignmentOutcome, Side, datasets_to_align, new_label_side
from party.runtime.join_agreement import check_modes
from party.runtime.plan import PairSecrets, PlanFacts, SessionResult
from party.runtime.proposal import Opening


class DatasetWork:
    """One party's part; see `AlignmentWork`.

    Args:
        opening: the granted proposal; it may ask to align again although a stored alignment is valid.

    Raises:
        DataError: a dataset is not configured, or its file cannot be used.
    """

    def __init__(self, opening: Opening) -> None:
        context, run = opening.context, opening.run
        self._opening = opening
        self._context = context
        self._run = run
        self._tables = {name: context.tables.table(name) for name in sorted(run.alignment.datasets)}
        self._stored: dict[str, StoredAlignment] = {}
        for name, table in self._tables.items():
            found = None if opening.proposal.realign else context.stored_alignment(table, run.parties)
            if found is not None:
                self._stored[name] = found
        self._pending: tuple[str, ...] = ()
        self._hellos: Mapping[str, Hello] = {}
        self.facts = _facts(self._tables, self._stored)

    @property
    def read(self) -> tuple[str, ...]:
        """See `AlignmentWork`."""
        return tuple(self._tables)

    def agreed(self, hellos: Mapping[str, Hello]) -> tuple[str, ...]:
        """See `AlignmentWork`.

        Raises:
            HandshakeError: another party has tables, or joins.
        """
        check_modes(self._context.party, self._run.label_party, hellos)
        self._hellos = hellos
        self._pending = datasets_to_align(hellos)
        return self._pending

    def side(self, secrets: PairSecrets, pool: WorkerPool) -> Side:
        """See `AlignmentWork`.

        Raises:
            AlignmentError: a party has other datasets, or no rows.
            PolicyError: a peer states more rows than the owner allows.
        """
        terms = self._terms()
        if self._context.party != self._run.label_party:
            return FeatureSide(terms, pair_key=secrets.pair_key, pool=pool)
        return new_label_side(self._context, terms, secrets=secrets, pool=pool)

    def finish(self, side: Side | None) -> AlignmentOutcome:
        """See `AlignmentWork`.

        Raises:
            SessionError: the alignment is not complete.
            StorageError: an alignment cannot be stored.
        """
        rows = sum(len(stored.rows) for name, stored in self._stored.items() if name not in self._pending)
        results = {} if side is None else side.results()
        released = sum(len(aligned.rows) for aligned in results.values())
        for name, aligned in results.items():
            stored = StoredAlignment(
                alignment_id=aligned.alignment_id,
                rows=aligned.rows,
                data_sha256=bytes.fromhex(self._tables[name].rows_sha256),
                id_column=self._context.configuration.data.id_name,
                parties=self._run.parties,
                row_secret=aligned.row_secret,
            )
            self._context.alignments.save(name, stored)
        return AlignmentOutcome(SessionResult(tuple(results), rows + released), {"intersections": released})

    def _terms(self) -> AlignmentTerms:
        party, label_party = self._context.party, self._run.label_party
        partners = self._run.feature_parties if party == label_party else (label_party,)
        return AlignmentTerms(
            party=party,
            peers={name: self._declared_rows(name) for name in partners},
            ids={name: self._tables[name].known_ids for name in self._pending},
            chunk_rows=self._run.alignment.chunk_rows,
            rules=self._opening.grant.alignment,
            scratch=self._context.alignments.scratch,
        )

    def _declared_rows(self, peer: str) -> dict[str, int]:
        return {one.dataset: one.rows for one in self._hellos[peer].datasets if one.dataset in self._pending}


def _facts(tables: Mapping[str, Table], stored: Mapping[str, StoredAlignment]) -> PlanFacts:
    """The row counts of the files, the valid alignments, and the most rows that can be in common."""
    rows = sum(table.rows for table in tables.values())
    datasets = [
        DatasetRows(dataset=name, rows=table.rows, alignment_id=stored[name].alignment_id if name in stored else b"")
        for name, table in tables.items()
    ]
    return PlanFacts(datasets=datasets, release=Release(rows, most={"intersections": rows}))
