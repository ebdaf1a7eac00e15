"""A feature party's part of an alignment with joins: its tables, of which the label party's join names one."""

from __future__ import annotations

from collections.abc import Mapping

from party.alignment.feature_side import FeatureSide
from party.alignment.joined_store import JoinedAlignment
from party.alignment.pool import WorkerPool
from party.alignment.row_maps import IncomingMaps
from party.alignment.terms import AlignmentTerms
from party.errors import HandshakeError, SessionError
from party.pb.handshake_pb2 import DatasetRows, Hello, JoinStatement, TableStatement
from party.policy.requests import Release
from party.runtime.alignment_work import AlignmentOutcome, Side
from party.runtime.join_agreement import agreed_table, check_modes, joined_datasets, joined_name
from party.runtime.joined_alignments import table_terms, valid_join
from party.runtime.plan import PairSecrets, PlanFacts, SessionResult
from party.runtime.proposal import Opening


class TableWork:
    """A feature party's part; see `AlignmentWork`.

    Args:
        opening: the granted proposal; it may ask to align again although a stored alignment is valid.

    Raises:
        DataError: a table's file cannot be used.
    """

    def __init__(self, opening: Opening) -> None:
        context, run = opening.context, opening.run
        self._opening = opening
        self._context = context
        self._run = run
        self._tables = {name: context.tables.table(name) for name in context.tables.usable_names}
        self._datasets = tuple(sorted(run.alignment.datasets))
        self._stored: dict[str, JoinedAlignment] = {}
        for name in () if opening.proposal.realign else self._datasets:
            found = valid_join(context, name, run.parties)
            if found is not None:
                self._stored[name] = found[1]
        self._join = JoinStatement()
        self._label_rows: dict[str, int] = {}
        self._maps: IncomingMaps | None = None
        self.facts = self._facts()

    @property
    def read(self) -> tuple[str, ...]:
        """See `AlignmentWork`."""
        return (self._join.table,)

    def agreed(self, hellos: Mapping[str, Hello]) -> tuple[str, ...]:
        """See `AlignmentWork`.

        Raises:
            HandshakeError: the label party joins no table of this party, or its join does not fit.
            PolicyError: the label party has more rows than the owner allows.
        """
        party, label_party = self._context.party, self._run.label_party
        check_modes(party, label_party, hellos)
        mine = [join for join in hellos[label_party].joins if join.peer == party]
        if len(mine) != 1:
            raise HandshakeError(
                "the label party does not join one table of this party",
                where=f"{party}: alignment with {label_party}",
                expected=f"one entry of data.joins for {party}",
                received=f"{len(mine)}",
            )
        self._join = mine[0]
        agreed_table(party, hellos[party], self._join)
        self._label_rows = {one.dataset: one.rows for one in hellos[label_party].datasets}
        for dataset, rows in self._label_rows.items():
            self._opening.grant.alignment.check_peer_rows(dataset, label_party, rows)
        return joined_datasets(hellos)

    def side(self, secrets: PairSecrets, pool: WorkerPool) -> Side:
        """See `AlignmentWork`.

        Raises:
            AlignmentError: the label party has no keys.
            PolicyError: the label party states more keys than the owner allows.
        """
        rules, table = self._opening.grant.alignment, self._join.table
        name, scratch = joined_name(self._context.party, table), self._context.alignments.scratch
        terms = AlignmentTerms(
            party=self._context.party,
            peers={self._run.label_party: {name: self._join.keys}},
            ids={name: self._tables[table].known_ids},
            chunk_rows=self._run.alignment.chunk_rows,
            rules=rules,
            joined=True,
            scratch=scratch,
        )
        self._maps = IncomingMaps(self._label_rows, left=self._join.left, rules=rules, scratch=scratch)
        return FeatureSide(terms, pair_key=secrets.pair_key, pool=pool, maps=self._maps)

    def finish(self, side: Side | None) -> AlignmentOutcome:
        """See `AlignmentWork`.

        Raises:
            SessionError: the alignment is not complete.
            StorageError: an alignment cannot be stored.
        """
        party = self._context.party
        if side is None:
            rows = sum(len(stored.maps[party].entity_of_row) for stored in self._stored.values())
            return AlignmentOutcome(SessionResult((), rows), {})
        (aligned,) = side.results().values()
        if self._maps is None:
            raise SessionError("the alignment is not complete", where=party)
        maps = self._maps.maps(len(aligned.rows))
        for dataset, row_map in maps.items():
            stored = JoinedAlignment(
                alignment_id=aligned.alignment_id,
                rows=aligned.rows,
                table=self._join.table,
                data_sha256=bytes.fromhex(self._tables[self._join.table].sha256),
                terms=table_terms(self._context.configuration),
                parties=self._run.parties,
                row_secret=aligned.row_secret,
                maps={party: row_map},
            )
            self._context.alignments.joined.save(dataset, stored)
        rows = sum(len(row_map.entity_of_row) for row_map in maps.values())
        return AlignmentOutcome(SessionResult(tuple(maps), rows), {"intersections": len(aligned.rows)})

    def _facts(self) -> PlanFacts:
        data = self._context.configuration.data
        rows = sum(table.rows for table in self._tables.values())
        datasets = [
            DatasetRows(dataset=name, alignment_id=self._stored[name].alignment_id if name in self._stored else b"")
            for name in self._datasets
        ]
        tables = [
            TableStatement(table=name, rows=table.rows, key_columns=len(data.id_columns), transforms=data.transforms)
            for name, table in self._tables.items()
        ]
        release = Release(rows, most={"intersections": rows}, joins={self._run.label_party: tuple(self._tables)})
        return PlanFacts(datasets=datasets, release=release, tables=tables)
