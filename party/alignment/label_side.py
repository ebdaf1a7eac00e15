"""The label party's side of an alignment, driven message by message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from party.alignment.aligned_elements import AlignedElements, AlignmentSummary
from party.alignment.client import PsiClient
from party.alignment.messages import Outgoing, check_size, chunk_count, finished, foreign_kind
from party.alignment.order_proof import PROOF_BYTES, OrderProof, PairKey
from party.alignment.pool import WorkerPool
from party.alignment.psi import ELEMENT_BYTES
from party.alignment.terms import AlignedRows, AlignmentTerms
from party.errors import SessionError
from party.pb import party_pb2
from party.pb.party_pb2 import MessageKind
from party.security.row_secret import RowSecret


class LabelSide:
    """The label party: the PSI client of every feature party; it computes the intersection over all of them.

    Calls must not overlap. The same message may be requested twice in a row; each message is processed once.

    Args:
        terms: this party's alignment terms.
        pair_key: returns the 32 bytes that only this party and a given peer know.
        new_alignment_id: returns 16 random bytes.
        new_row_secret: returns the row secret of a dataset.
        pool: workers; this object only queues and drops calls.
    """

    def __init__(
        self,
        terms: AlignmentTerms,
        *,
        pair_key: PairKey,
        new_alignment_id: Callable[[], bytes],
        new_row_secret: Callable[[str], RowSecret],
        pool: WorkerPool,
    ) -> None:
        self._terms = terms
        self._pair_key = pair_key
        self._new_alignment_id = new_alignment_id
        self._new_row_secret = new_row_secret
        self._aligned: dict[str, AlignedRows] = {}
        self._elements: dict[tuple[str, str], Outgoing] = {}
        self._proofs: dict[tuple[str, str], OrderProof] = {}
        self._counterproofs: dict[tuple[str, str], Outgoing] = {}
        self._clients = {
            (dataset, peer): PsiClient(terms, dataset, peer, pool) for dataset in terms.ids for peer in terms.peers
        }

    def produce(self, kind: MessageKind, dataset: str, peer: str, index: int) -> tuple[bytes, int]:
        """Makes a message for a feature party: a request; then marks, once all answers have arrived; then a proof.

        Args:
            kind: PSI_REQUEST, ALIGNED_ELEMENTS or ALIGNMENT_COUNTERPROOF.
            dataset: name of the dataset.
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
        where = f"dataset {dataset}, peer {peer}"
        if kind == party_pb2.MESSAGE_KIND_ALIGNED_ELEMENTS:
            if dataset not in self._aligned:
                raise SessionError("aligned elements requested before all answers arrived", where=where)
            messages = self._elements[dataset, peer]
        elif kind == party_pb2.MESSAGE_KIND_ALIGNMENT_COUNTERPROOF:
            if (dataset, peer) not in self._counterproofs:
                raise SessionError("a proof requested before the peer proved its order", where=where)
            messages = self._counterproofs[dataset, peer]
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
        clients = [self._clients[dataset, name] for name in self._terms.peers]
        if dataset not in self._aligned and all(client.complete for client in clients):
            self._intersect(dataset, clients)
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

    def _intersect(self, dataset: str, clients: list[PsiClient]) -> None:
        matches = {peer: client.matches() for peer, client in zip(self._terms.peers, clients, strict=True)}
        rows = reduce(np.intersect1d, [one.rows for one in matches.values()])
        self._terms.check_rows_in_common(dataset, len(rows))
        ids = self._terms.ids[dataset]
        # Strings compare by code points, which is the order of their UTF-8 bytes.
        ordered = np.array(sorted(rows.tolist(), key=ids.__getitem__), dtype=np.int64)
        aligned = AlignedRows(self._new_alignment_id(), ordered, self._new_row_secret(dataset))
        self._aligned[dataset] = aligned
        ordered_ids = [ids[row] for row in ordered.tolist()]
        for peer, found in matches.items():
            proof = OrderProof(self._pair_key(peer), dataset, aligned.alignment_id, ordered_ids)
            self._proofs[dataset, peer] = proof
            marks = found.marks(ordered, self._terms.peers[peer][dataset])
            summary = AlignmentSummary(aligned.alignment_id, len(ordered), aligned.row_secret, proof.share)
            self._elements[dataset, peer] = self._marked_elements(dataset, peer, summary, marks)

    def _marked_elements(
        self, dataset: str, peer: str, summary: AlignmentSummary, marks: NDArray[np.bool_]
    ) -> Outgoing:
        elements, chunk_rows = len(marks), self._terms.chunk_rows
        messages: Iterator[Future[bytes]] = (
            finished(AlignedElements(summary, marks[start : start + chunk_rows]).to_bytes())
            for start in range(0, elements, chunk_rows)
        )
        where = f"aligned elements, dataset {dataset}, peer {peer}"
        return Outgoing(chunk_count(elements, chunk_rows), where, messages)

    def _verify_proof(self, dataset: str, peer: str, index: int, message: bytes) -> None:
        where = f"alignment proof, dataset {dataset}, peer {peer}"
        proof = self._proofs.get((dataset, peer))
        if proof is None or index != 0 or (dataset, peer) in self._counterproofs:
            raise SessionError("a proof out of order", where=where, received=f"message {index}")
        check_size(message, ELEMENT_BYTES + PROOF_BYTES, where)
        share, received = message[:ELEMENT_BYTES], message[ELEMENT_BYTES:]
        # One list of ids can be tried with each share: a proof that failed must not be followed by another one.
        del self._proofs[dataset, peer]
        proof.verify(received, peer, share, where)
        counterproof = proof.of(self._terms.party, share, where)
        where = f"alignment counterproof, dataset {dataset}, peer {peer}"
        self._counterproofs[dataset, peer] = Outgoing(1, where, [finished(counterproof)])
