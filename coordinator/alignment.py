"""Relays the messages of an alignment between the parties."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from coordinator.data_quality import DataQuality, released_quality
from coordinator.party_client import PartyClient
from coordinator.session import CoordinatedSession
from party.errors import SessionError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import JoinStatement
from party.security.printable import printable

REQUESTS_AHEAD = 4
FEW_ROWS_DIVISOR = 10  # fewer than a tenth of the rows with a partner deserve a warning

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class JoinedTable:
    """How many rows of a dataset found a partner in the table of one feature party.

    Attributes:
        peer: name of the feature party.
        table: name of its table.
        rows: number of rows in the label party's file.
        keys: number of distinct keys of these rows; an empty one is none.
        keys_found: number of them that the table has.
        rows_with_partner: number of rows with such a key.
        left: whether rows stay that find no partner there.
    """

    peer: str
    table: str
    rows: int
    keys: int
    keys_found: int
    rows_with_partner: int
    left: bool

    @property
    def finds_few(self) -> bool:
        """Whether so few rows find a partner that the keys are probably written differently."""
        return self.rows_with_partner * FEW_ROWS_DIVISOR < self.rows


@dataclass(frozen=True)
class DatasetAlignment:
    """The result of an alignment of one dataset.

    Attributes:
        dataset: name of the dataset.
        rows: number of rows in the file of each party; of its table where the label party joins one.
        rows_in_common: number of rows that all parties have or, with joins, that stay; None if an earlier alignment
            without joins was reused.
        reused: whether an earlier alignment is still valid.
        joins: what the rows found in each table, by peer; empty without joins.
        quality: by party, what it released of the quality of its dataset or table; parties that released nothing are
            left out.
    """

    dataset: str
    rows: Mapping[str, int]
    rows_in_common: int | None
    reused: bool
    joins: Sequence[JoinedTable] = field(default=(), kw_only=True)
    quality: Mapping[str, DataQuality] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True)
class MessageRoute:
    """The route of all messages of one kind from one party to another.

    Attributes:
        kind: of the messages.
        dataset: the dataset or table being aligned.
        sender: party that produces the messages.
        receiver: party that consumes the messages.
    """

    kind: pb.MessageKind
    dataset: str
    sender: PartyClient
    receiver: PartyClient

    def __str__(self) -> str:
        name = pb.MessageKind.Name(self.kind).removeprefix("MESSAGE_KIND_").lower().replace("_", " ")
        return f"{printable(self.dataset)}: {name}, {self.sender.name} to {self.receiver.name}"


class AlignmentRelay:
    """Relays sealed messages from the party that produces them to the party that consumes them.

    Args:
        session: opened for alignment.
        advance: called with the progress: a text, the number of messages done, and their total.
    """

    def __init__(self, session: CoordinatedSession, advance: Advance) -> None:
        self._session = session
        self._advance = advance
        self._abandoned = threading.Event()

    def align(self) -> list[DatasetAlignment]:
        """Aligns every dataset without a valid alignment.

        Returns:
            One result per dataset.
        """
        session = self._session
        counts: dict[str, int] = {}
        if session.joins and session.pending:
            self._align_tables(session.joins)
        elif not session.joins:
            counts = {dataset: self._align_dataset(dataset) for dataset in session.pending}
        replies = session.finish()
        finished = replies[session.run.label_party]
        results = []
        for one in session.datasets[session.run.label_party]:
            joins = [found for found in finished.joins if found.dataset == one.dataset]
            results.append(
                DatasetAlignment(
                    dataset=one.dataset,
                    rows=self._file_rows(one.dataset),
                    rows_in_common=joins[0].rows_in_common if joins else counts.get(one.dataset),
                    reused=one.dataset not in session.pending,
                    joins=[_joined_table(found) for found in joins],
                    quality=released_quality(replies, one.dataset, self._tables()),
                )
            )
        return results

    def _file_rows(self, dataset: str) -> dict[str, int]:
        """Number of rows of the file that each party brings."""
        session = self._session
        rows = {
            party: next(one.rows for one in stated if one.dataset == dataset)
            for party, stated in sorted(session.datasets.items())
        }
        for join in session.joins:
            tables = session.tables.get(join.peer, ())
            rows[join.peer] = next((one.rows for one in tables if one.table == join.table), 0)
        return rows

    def _tables(self) -> dict[str, str]:
        """The table of each party that brings one in place of datasets."""
        return {join.peer: join.table for join in self._session.joins}

    def _align_dataset(self, dataset: str) -> int:
        """Aligns one dataset; returns the number of rows in common."""
        pairs = [(dataset, party) for party in self._session.features]
        self._intersect(pairs)
        return self._prove(pairs)

    def _align_tables(self, joins: Sequence[JoinStatement]) -> None:
        """Aligns all tables together: which rows stay is known once all keys are compared."""
        clients = self._session.clients
        pairs = [(f"{join.peer}/{join.table}", clients[join.peer]) for join in joins]
        self._intersect(pairs)
        self._prove(pairs)
        for table, party in pairs:
            self._relay(MessageRoute(pb.MESSAGE_KIND_ROW_MAP, table, self._session.label, party))

    def _intersect(self, pairs: Sequence[tuple[str, PartyClient]]) -> None:
        """Relays setups and requests concurrently, so that both sides compute."""
        label = self._session.label
        threads = ThreadPoolExecutor(max_workers=2 * len(pairs))
        try:
            relays: list[Future[Any]] = [
                threads.submit(self._relay, MessageRoute(pb.MESSAGE_KIND_PSI_SETUP, name, party, label))
                for name, party in pairs
            ]
            relays += [threads.submit(self._relay_requests, name, party) for name, party in pairs]
            for relay in as_completed(relays):
                relay.result()
        except BaseException:
            self._abandoned.set()
            raise
        finally:
            # Not waiting: a call under way may be to a party that hangs. After a failure the session is closed next.
            threads.shutdown(wait=False, cancel_futures=True)

    def _prove(self, pairs: Sequence[tuple[str, PartyClient]]) -> int:
        """Relays the marks, then the proofs of order; returns the number in common of the last pair."""
        label, rows = self._session.label, 0
        for name, party in pairs:
            rows = self._relay(MessageRoute(pb.MESSAGE_KIND_ALIGNED_ELEMENTS, name, label, party))
        for name, party in pairs:
            self._relay(MessageRoute(pb.MESSAGE_KIND_ALIGNMENT_PROOF, name, party, label))
            self._relay(MessageRoute(pb.MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, name, label, party))
        return rows

    def _relay_requests(self, dataset: str, party: PartyClient) -> None:
        """Relays requests and their responses; sends a few requests ahead to keep the party's cores busy."""
        label = self._session.label
        requests = MessageRoute(pb.MESSAGE_KIND_PSI_REQUEST, dataset, label, party)
        responses = MessageRoute(pb.MESSAGE_KIND_PSI_RESPONSE, dataset, party, label)
        asked, answered, total = 0, 0, 1
        while answered < total:
            while asked < min(total, answered + REQUESTS_AHEAD):
                total = self._relay_message(requests, asked)[0]
                asked += 1
            self._relay_message(responses, answered)
            answered += 1
            self._advance(f"{printable(dataset)}: answers of {party.name}", answered, total)

    def _relay(self, route: MessageRoute) -> int:
        index, total, rows = 0, 1, 0
        while index < total:
            total, rows = self._relay_message(route, index)
            index += 1
            self._advance(str(route), index, total)
        return rows

    def _relay_message(self, route: MessageRoute, index: int) -> tuple[int, int]:
        """Relays one message; returns the number of messages of its kind, and the rows in common so far."""
        if self._abandoned.is_set():
            raise SessionError("the alignment was abandoned", where=f"dataset {route.dataset}")
        reference, sender, receiver = self._session.reference, route.sender, route.receiver
        produced = sender.produce(reference, route.kind, dataset=route.dataset, receiver=receiver.name, index=index)
        consumed = receiver.consume(
            reference,
            route.kind,
            dataset=route.dataset,
            sender=sender.name,
            index=index,
            envelope=produced.envelope,
        )
        return produced.total, consumed.rows_in_common


def _joined_table(counts: pb.JoinCounts) -> JoinedTable:
    return JoinedTable(
        peer=counts.peer,
        table=counts.table,
        left=counts.left,
        rows=counts.rows,
        keys=counts.keys,
        keys_found=counts.keys_found,
        rows_with_partner=counts.rows_with_partner,
    )
