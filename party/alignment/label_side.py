"""The label party's side of an alignment, driven message by message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from party.alignment.aligned_elements import AlignedElements, AlignmentSummary
from party.alignment.client import PsiClient
from party.alignment.curve import ELEMENT_BYTES
from party.alignment.joined_rows import JoinedRows
from party.alignment.matches import Matches
from party.alignment.messages import Outgoing, check_size, chunk_count, finished, foreign_kind
from party.alignment.order_proof import PROOF_BYTES, OrderProof, PairKey
from party.alignment.pool import WorkerPool
from party.alignment.row_maps import outgoing_maps
from party.alignment.terms import AlignedRows, AlignmentTerms
from party.data.sorting import Order
from party.errors import SessionError
from party.pb import party_pb2
from party.pb.party_pb2 import MessageKind
from party.security.row_secret import RowSecret

UnitMatches = Mapping[tuple[str, str], Matches]

ALL_TABLES = ""  # in place of a dataset's name, what is drawn for all joins together


class LabelSide:
    """The label party: the PSI client of every feature party.

    For each dataset it computes the intersection over all feature parties. With joins, it finds the rows that stay and
    the entities that they refer to once all tables are intersected.

    Calls must not overlap. The same message may be requested twice in a row; each message is processed once.

    Args:
        terms: this party's alignment terms.
        pair_key: returns the 32 bytes that only this party and a given peer know.
        new_alignment_id: returns 16 random bytes.
        new_row_secret: returns the row secret of a dataset; of ALL_TABLES with joins.
        pool: workers; this object only queues and drops calls.
        joined: the rows and the joins of their keys; None where all parties have the same datasets.
    """

    def __init__(
        self,
        terms: AlignmentTerms,
        *,
        pair_key: PairKey,
        new_alignment_id: Callable[[], bytes],
        new_row_secret: Callable[[str], RowSecret],
        pool: WorkerPool,
        joined: JoinedRows | None = None,
    ) -> None:
        self._terms = terms
        self._pair_key = pair_key
        self._new_alignment_id = new_alignment_id
        self._new_row_secret = new_row_secret
        self._aligned: dict[str, AlignedRows] = {}
        self._elements: dict[tuple[str, str], Outgoing] = {}
        self._proofs: dict[tuple[str, str], OrderProof] = {}
        self._counterproofs: dict[tuple[str, str], Outgoing] = {}
        self._joined = joined
        self._maps: dict[str, Outgoing] = {}
        self._clients = {(dataset, peer): PsiClient(terms, dataset, peer, pool) for dataset, peer in terms.pairs}

    def produce(self, kind: MessageKind, dataset: str, peer: str, index: int) -> tuple[bytes, int]:
        """Makes a message for a feature party: a request; marks, once all answers have arrived; a proof; a row map.

        Args:
            kind: PSI_REQUEST, ALIGNED_ELEMENTS, ALIGNMENT_COUNTERPROOF or ROW_MAP.
            dataset: name of the dataset or table.
            peer: name of the party that gets the message.
            index: index of the next message, or of the last one again.

        Returns:
            The message, and the number of messages of its kind for this dataset and peer.

        Raises:
            SessionError: the message is not the next one.
            InternalError: a worker process died.
        """
        self._terms.check_pair(dataset, peer)
        client = self._clients[dataset, peer]
        if kind == party_pb2.MESSAGE_KIND_PSI_REQUEST:
            return client.requests.take(index), client.requests.total
        where = self._terms.place(dataset, peer)
        if kind == party_pb2.MESSAGE_KIND_ALIGNED_ELEMENTS:
            if dataset not in self._aligned:
                raise SessionError("aligned elements requested before all answers arrived", where=where)
            messages = self._elements[dataset, peer]
        elif kind == party_pb2.MESSAGE_KIND_ALIGNMENT_COUNTERPROOF:
            if (dataset, peer) not in self._counterproofs:
                raise SessionError("a proof requested before the peer proved its order", where=where)
            messages = self._counterproofs[dataset, peer]
        elif kind == party_pb2.MESSAGE_KIND_ROW_MAP and self._joined is not None:
            if (dataset, peer) not in self._counterproofs:
                raise SessionError("a row map requested before the peer proved its order", where=where)
            messages = self._row_map(dataset, self._joined, where)
        else:
            raise foreign_kind(kind, "produces")
        return messages.take(index), messages.total

    def consume(self, kind: MessageKind, dataset: str, peer: str, index: int, *, message: bytes) -> int:
        """Takes a message of a feature party.

        Args:
            kind: PSI_SETUP, PSI_RESPONSE or ALIGNMENT_PROOF.
            dataset: name of the dataset.
            peer: name of the party that sent the message.
            index: index of the message; messages come in order.
            message: the bytes of the message.

        Returns:
            Number of rows in common to all parties; 0 before all setups and answers have arrived.

        Raises:
            AlignmentError: the message cannot be used, nothing is in common, or the peer's order differs.
            PolicyError: fewer rows in common than the policy requires.
            SessionError: the message is not the next one.
            InternalError: a worker process died.
        """
        self._terms.check_pair(dataset, peer)
        client = self._clients[dataset, peer]
        if kind == party_pb2.MESSAGE_KIND_PSI_SETUP:
            client.take_setup(index, message)
        elif kind == party_pb2.MESSAGE_KIND_PSI_RESPONSE:
            client.take_response(index, message)
        elif kind == party_pb2.MESSAGE_KIND_ALIGNMENT_PROOF:
            self._verify_proof(dataset, peer, index, message)
        else:
            raise foreign_kind(kind, "consumes")
        together = [pair for pair in self._clients if self._joined is not None or pair[0] == dataset]
        if dataset not in self._aligned and all(self._clients[pair].complete for pair in together):
            self._intersect({pair: self._clients[pair].matches() for pair in together})
        return len(self._aligned[dataset].rows) if dataset in self._aligned else 0

    def results(self) -> dict[str, AlignedRows]:
        """The aligned rows by dataset.

        Raises:
            SessionError: a feature party has not proved yet that it has the same order.
        """
        missing = len(self._clients) - len(self._counterproofs)
        if missing:
            raise SessionError("the alignment is not complete", received=f"{missing} proofs fewer than needed")
        return dict(self._aligned)

    def close(self) -> None:
        """Drops the calls that are still queued at the pool."""
        for client in self._clients.values():
            client.close()

    def _intersect(self, matches: UnitMatches) -> None:
        """Finds what is in common of one dataset, or of all tables, and makes the messages that say so."""
        ordered = self._ordered(matches)
        for dataset, rows in ordered.items():
            self._terms.check_rows_in_common(dataset, len(rows))
        (name,) = {ALL_TABLES if self._joined is not None else dataset for dataset in ordered}
        alignment_id, secret = self._new_alignment_id(), self._new_row_secret(name)
        for (dataset, peer), found in matches.items():
            self._aligned[dataset] = aligned = AlignedRows(alignment_id, ordered[dataset], secret)
            ids = self._terms.ids[dataset]
            proof = OrderProof(self._pair_key(peer), dataset, alignment_id, ids.take(aligned.rows))
            self._proofs[dataset, peer] = proof
            in_common = np.zeros(len(ids), np.bool_)
            in_common[aligned.rows] = True
            marks = found.marks(in_common, self._terms.peers[peer][dataset])
            summary = AlignmentSummary(alignment_id, len(aligned.rows), secret, proof.share)
            self._elements[dataset, peer] = self._marked_elements(dataset, peer, summary, marks)

    def _ordered(self, matches: UnitMatches) -> Mapping[str, Order]:
        """Own rows, or own keys, in common, in the common order."""
        if self._joined is not None:
            for (table, _), found in matches.items():
                self._terms.check_rows_in_common(table, len(found.rows))
            return self._joined.resolve({table: found.rows for (table, _), found in matches.items()})
        (dataset,) = {dataset for dataset, _ in matches}
        ids = self._terms.ids[dataset]
        rows = np.flatnonzero(reduce(np.logical_and, [found.found(len(ids)) for found in matches.values()]))
        return {dataset: ids.by_text(rows.astype(np.int32))}

    def _row_map(self, table: str, joined: JoinedRows, where: str) -> Outgoing:
        if table not in self._maps:
            alignment_id = self._aligned[table].alignment_id
            self._maps[table] = outgoing_maps(alignment_id, joined.maps[table], f"row map, {where}")
        return self._maps[table]

    def _marked_elements(
        self, dataset: str, peer: str, summary: AlignmentSummary, marks: NDArray[np.bool_]
    ) -> Outgoing:
        elements, chunk_rows = len(marks), self._terms.chunk_rows
        messages: Iterator[Future[bytes]] = (
            finished(AlignedElements(summary, marks[start : start + chunk_rows]).to_bytes())
            for start in range(0, elements, chunk_rows)
        )
        where = f"aligned elements, {self._terms.place(dataset, peer)}"
        return Outgoing(chunk_count(elements, chunk_rows), where, messages)

    def _verify_proof(self, dataset: str, peer: str, index: int, message: bytes) -> None:
        where = f"alignment proof, {self._terms.place(dataset, peer)}"
        proof = self._proofs.get((dataset, peer))
        if proof is None or index != 0 or (dataset, peer) in self._counterproofs:
            raise SessionError("a proof out of order", where=where, received=f"message {index}")
        check_size(message, ELEMENT_BYTES + PROOF_BYTES, where)
        share, received = message[:ELEMENT_BYTES], message[ELEMENT_BYTES:]
        # One list of ids can be tried with each share: a proof that failed must not be followed by another one.
        del self._proofs[dataset, peer]
        proof.verify(received, peer, share, where)
        counterproof = proof.of(self._terms.party, share, where)
        where = f"alignment counterproof, {self._terms.place(dataset, peer)}"
        self._counterproofs[dataset, peer] = Outgoing(1, where, [finished(counterproof)])
