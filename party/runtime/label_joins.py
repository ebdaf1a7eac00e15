"""The label party's part of an alignment with joins."""

from __future__ import annotations

from collections.abc import Mapping

from party.alignment.joined_rows import JoinedKeys, JoinedRows
from party.alignment.joined_store import JoinedAlignment
from party.alignment.pool import WorkerPool
from party.alignment.terms import AlignmentTerms
from party.configuration.joins import JoinSection
from party.data.distinct_keys import distinct_keys
from party.data.row_order import secret_row_order
from party.data.table import Table
from party.errors import SessionError
from party.pb.handshake_pb2 import DatasetRows, Hello, JoinStatement
from party.policy.requests import Release
from party.runtime.alignment_work import AlignmentOutcome, Side, new_label_side
from party.runtime.join_agreement import agreed_table, check_modes, joined_datasets, joined_name
from party.runtime.joined_alignments import joins_of_run, label_terms, order_secret, valid_join
from party.runtime.plan import PairSecrets, PlanFacts, SessionResult
from party.runtime.proposal import Opening


class LabelJoinWork:
    """The label party's part; see `AlignmentWork`.

    Args:
        opening: the granted proposal; it may ask to align again although a stored alignment is valid.

    Raises:
        ConfigurationError: a feature party of the run has no join.
        DataError: a dataset is not configured, or its file cannot be used.
    """

    def __init__(self, opening: Opening) -> None:
        context, run = opening.context, opening.run
        self._opening = opening
        self._context = context
        self._run = run
        self._joins = joins_of_run(context.configuration, run.parties)
        self._tables = {name: context.tables.table(name) for name in sorted(run.alignment.datasets)}
        self._stored: dict[str, JoinedAlignment] = {}
        for name in () if opening.proposal.realign else self._tables:
            found = valid_join(context, name, run.parties)
            if found is not None:
                self._stored[name] = found[1]
        self._keys = {joined_name(join.peer, join.table): _joined_keys(join, self._tables) for join in self._joins}
        self._peer_rows: dict[str, int] = {}
        self._joined: JoinedRows | None = None
        self.facts = self._facts()

    @property
    def read(self) -> tuple[str, ...]:
        """See `AlignmentWork`."""
        return tuple(self._tables)

    def agreed(self, hellos: Mapping[str, Hello]) -> tuple[str, ...]:
        """See `AlignmentWork`.

        Raises:
            HandshakeError: a party has no tables, or a join does not fit the table that it names.
        """
        check_modes(self._context.party, self._run.label_party, hellos)
        for statement in self.facts.joins:
            table = agreed_table(self._context.party, hellos[statement.peer], statement)
            self._peer_rows[joined_name(statement.peer, statement.table)] = table.rows
        return joined_datasets(hellos)

    def side(self, secrets: PairSecrets, pool: WorkerPool) -> Side:
        """See `AlignmentWork`.

        Raises:
            AlignmentError: no row has a key.
            PolicyError: a peer states more rows than the owner allows.
        """
        rules, scratch = self._opening.grant.alignment, self._context.alignments.scratch
        terms = AlignmentTerms(
            party=self._context.party,
            peers={one.peer: {name: self._peer_rows[name]} for name, one in self._keys.items()},
            ids={name: one.keys for name, one in self._keys.items()},
            chunk_rows=self._run.alignment.chunk_rows,
            rules=rules,
            joined=True,
            scratch=scratch,
        )
        secret = order_secret(self._context)
        orders = {name: secret_row_order(table, secret) for name, table in self._tables.items()}
        self._joined = JoinedRows(self._keys, orders, rules, scratch)
        return new_label_side(self._context, terms, secrets=secrets, pool=pool, joined=self._joined)

    def finish(self, side: Side | None) -> AlignmentOutcome:
        """See `AlignmentWork`.

        Raises:
            SessionError: the alignment is not complete.
            StorageError: an alignment cannot be stored.
        """
        if side is None:
            counts = tuple(one for stored in self._stored.values() for one in stored.counts)
            rows = sum(len(stored.rows) for stored in self._stored.values())
            return AlignmentOutcome(SessionResult((), rows, joins=counts), {})
        results, joined = side.results(), self._joined
        if joined is None or not joined.rows:
            raise SessionError("the alignment is not complete", where=self._context.party)
        aligned = next(iter(results.values()))  # they differ in the rows alone
        for name, kept in joined.rows.items():
            stored = JoinedAlignment(
                alignment_id=aligned.alignment_id,
                rows=kept,
                table=name,
                data_sha256=bytes.fromhex(self._tables[name].rows_sha256),
                terms=label_terms(self._context.configuration, self._run.parties),
                parties=self._run.parties,
                row_secret=aligned.row_secret,
                maps={one.peer: joined.maps[key][name] for key, one in self._keys.items()},
                counts=[one for one in joined.counts if one.dataset == name],
            )
            self._context.alignments.joined.save(name, stored)
        rows_in_common = sum(map(len, joined.rows.values()))
        entities = sum(len(one.rows) for one in results.values())
        result = SessionResult(tuple(joined.rows), rows_in_common, joins=tuple(joined.counts))
        return AlignmentOutcome(result, {"intersections": entities, "row_maps": rows_in_common * len(self._keys)})

    def _facts(self) -> PlanFacts:
        rows = sum(table.rows for table in self._tables.values())
        datasets = [
            DatasetRows(
                dataset=name,
                rows=table.rows,
                alignment_id=self._stored[name].alignment_id if name in self._stored else b"",
            )
            for name, table in self._tables.items()
        ]
        keys = {join.peer: len(self._keys[joined_name(join.peer, join.table)].keys) for join in self._joins}
        statements = [
            JoinStatement(
                peer=join.peer,
                table=join.table,
                left=join.kind == "left",
                key_columns=len(join.key),
                transforms=join.transforms,
                keys=keys[join.peer],
            )
            for join in self._joins
        ]
        release = Release(
            rows,
            most={"intersections": sum(keys.values()), "row_maps": rows * len(self._joins)},
            joins={join.peer: (join.table,) for join in self._joins},
        )
        return PlanFacts(datasets=datasets, release=release, joins=statements)


def _joined_keys(join: JoinSection, tables: Mapping[str, Table]) -> JoinedKeys:
    """The distinct keys of all datasets together, and which of them each row has."""
    keys, codes = distinct_keys({name: table.keys[join.peer] for name, table in tables.items()}, join.peer)
    return JoinedKeys(peer=join.peer, table=join.table, left=join.kind == "left", keys=keys, codes=codes)
