"""A feature party's side of an alignment, driven message by message."""

from __future__ import annotations

from party.alignment.common_order import CommonOrder
from party.alignment.messages import Outgoing, check_size, finished, foreign_kind
from party.alignment.order_proof import PROOF_BYTES, OrderProof, PairKey
from party.alignment.pool import WorkerPool
from party.alignment.row_maps import IncomingMaps
from party.alignment.server import PsiServer
from party.alignment.terms import AlignedRows, AlignmentTerms
from party.errors import SessionError
from party.pb import party_pb2
from party.pb.party_pb2 import MessageKind


class FeatureSide:
    """A feature party: the PSI server of the label party; it learns which of its own rows are in common.

    Calls must not overlap. The same message may be requested twice in a row; each message is processed once.

    Args:
        terms: this party's alignment terms; the label party is its only peer.
        pair_key: returns the 32 bytes that only this party and a given peer know.
        pool: workers; this object only queues and drops calls.
        maps: takes the maps of the label party's rows to this party's only table; None where all parties have the same
            datasets.
    """

    def __init__(
        self, terms: AlignmentTerms, *, pair_key: PairKey, pool: WorkerPool, maps: IncomingMaps | None = None
    ) -> None:
        self._terms = terms
        self._maps = maps
        self._pair_key = pair_key
        self._proofs: dict[str, OrderProof] = {}
        self._proof_messages: dict[str, Outgoing] = {}
        self._verified: set[str] = set()
        self._servers: dict[str, PsiServer] = {}
        self._orders: dict[str, CommonOrder] = {}
        (peer,) = terms.peers
        for dataset in terms.ids:
            server = PsiServer(terms, dataset, peer, pool)
            self._servers[dataset] = server
            self._orders[dataset] = CommonOrder(terms, dataset, peer, server.setup_order)

    def produce(self, kind: MessageKind, dataset: str, peer: str, index: int) -> tuple[bytes, int]:
        """Makes a message for the label party.

        Args:
            kind: PSI_SETUP, PSI_RESPONSE or ALIGNMENT_PROOF.
            dataset: name of the dataset.
            peer: name of the party that gets the message.
            index: index of the next message, or of the last one again.

        Returns:
            The message, and the number of messages of its kind for this dataset.

        Raises:
            AlignmentError: the request to answer holds an element that is no point of the curve.
            SessionError: the message is not the next one.
            InternalError: a worker process died.
        """
        self._terms.check_pair(dataset, peer)
        server = self._servers[dataset]
        if kind == party_pb2.MESSAGE_KIND_PSI_SETUP:
            messages = server.setup
        elif kind == party_pb2.MESSAGE_KIND_PSI_RESPONSE:
            messages = server.responses
        elif kind == party_pb2.MESSAGE_KIND_ALIGNMENT_PROOF:
            messages = self._proof(dataset, peer)
        else:
            raise foreign_kind(kind, "produces")
        return messages.take(index), messages.total

    def consume(self, kind: MessageKind, dataset: str, peer: str, index: int, *, message: bytes) -> int:
        """Takes a message of the label party.

        Args:
            kind: PSI_REQUEST, ALIGNED_ELEMENTS, ALIGNMENT_COUNTERPROOF or ROW_MAP.
            dataset: name of the dataset or table.
            peer: name of the party that sent the message.
            index: index of the message; messages come in order.
            message: the bytes of the message.

        Returns:
            Number of rows in common to all parties; 0 before the last mark has arrived.

        Raises:
            AlignmentError: the message cannot be used, or the label party's order differs.
            PolicyError: fewer rows in common than the policy requires.
            SessionError: the message is not the next one.
        """
        self._terms.check_pair(dataset, peer)
        server = self._servers[dataset]
        order = self._orders[dataset]
        if kind == party_pb2.MESSAGE_KIND_PSI_REQUEST:
            server.take_request(index, message)
        elif kind == party_pb2.MESSAGE_KIND_ALIGNED_ELEMENTS:
            order.take(index, message)
        elif kind == party_pb2.MESSAGE_KIND_ALIGNMENT_COUNTERPROOF:
            self._verify_counterproof(dataset, peer, index, message)
        elif kind == party_pb2.MESSAGE_KIND_ROW_MAP and self._maps is not None:
            self._take_map(self._maps, dataset, peer, index, message=message)
        else:
            raise foreign_kind(kind, "consumes")
        return len(order.aligned.rows) if order.aligned is not None else 0

    def results(self) -> dict[str, AlignedRows]:
        """The aligned rows by dataset or table.

        Raises:
            SessionError: the label party has not proved yet, for every one, that it has the same order, or a row map is
                not complete.
        """
        aligned = {dataset: order.aligned for dataset, order in self._orders.items() if dataset in self._verified}
        complete = {dataset: rows for dataset, rows in aligned.items() if rows is not None}
        missing = len(self._orders) - len(complete)
        if missing:
            raise SessionError("the alignment is not complete", received=f"{missing} proofs fewer than needed")
        if self._maps is not None and not self._maps.complete:
            raise SessionError("the alignment is not complete", expected="the map of all rows")
        return complete

    def close(self) -> None:
        """Drops the calls that are still queued at the pool."""
        for server in self._servers.values():
            server.close()

    def _proof(self, dataset: str, peer: str) -> Outgoing:
        order = self._orders[dataset]
        aligned = order.aligned
        where = f"alignment proof, {self._terms.place(dataset, peer)}"
        if aligned is None:
            raise SessionError("a proof requested before all aligned elements arrived", where=where)
        if dataset not in self._proof_messages:
            ordered_ids = self._terms.ids[dataset].take(aligned.rows)
            proof = OrderProof(self._pair_key(peer), dataset, aligned.alignment_id, ordered_ids)
            content = proof.share + proof.of(self._terms.party, order.share, where)
            self._proofs[dataset] = proof
            self._proof_messages[dataset] = Outgoing(1, where, [finished(content)])
        return self._proof_messages[dataset]

    def _take_map(self, maps: IncomingMaps, table: str, peer: str, index: int, *, message: bytes) -> None:
        where, aligned = f"row map, {self._terms.place(table, peer)}", self._orders[table].aligned
        if aligned is None or table not in self._verified:
            raise SessionError("a row map before the label party proved its order", where=where)
        maps.take(index, message, aligned, where)

    def _verify_counterproof(self, dataset: str, peer: str, index: int, message: bytes) -> None:
        where = f"alignment counterproof, {self._terms.place(dataset, peer)}"
        proof = self._proofs.get(dataset)
        if proof is None or index != 0 or dataset in self._verified:
            raise SessionError("a proof out of order", where=where, received=f"message {index}")
        check_size(message, PROOF_BYTES, where)
        proof.verify(message, peer, self._orders[dataset].share, where)
        self._verified.add(dataset)
