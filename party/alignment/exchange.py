"""The two sides of an alignment, driven message by message: the label party's and a feature party's."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import numpy as np

from party.alignment.client import PsiClient
from party.alignment.common_order import CommonOrder
from party.alignment.digests import DigestChunk, id_digest, order_proof
from party.alignment.messages import Outgoing, chunk_count, finished
from party.alignment.pool import WorkerPool
from party.alignment.server import PsiServer
from party.alignment.terms import AlignedRows, AlignmentTerms
from party.errors import AlignmentError, SessionError
from party.pb import party_pb2
from party.pb.party_pb2 import MessageKind

PairKey = Callable[[str], bytes]


class LabelSide:
    """The label party: client of every feature party, intersects what they have in common with it.

    Calls must not overlap. The same message may be asked for twice in a row; messages are taken once.

    Args:
        terms: of this party.
        pair_key: gives the 32 bytes that only this party and a named peer know.
        new_alignment_id: makes 16 random bytes.
        pool: workers; the exchange only queues and drops calls.
    """

    def __init__(
        self,
        terms: AlignmentTerms,
        *,
        pair_key: PairKey,
        new_alignment_id: Callable[[], bytes],
        pool: WorkerPool,
    ) -> None:
        self._terms = terms
        self._pair_key = pair_key
        self._new_alignment_id = new_alignment_id
        self._aligned: dict[str, AlignedRows] = {}
        self._digests: dict[tuple[str, str], Outgoing] = {}
        self._proven: set[tuple[str, str]] = set()
        self._clients = {
            (dataset, peer): PsiClient(
                peer=peer,
                dataset=dataset,
                ids=ids,
                peer_rows=terms.peers[peer][dataset],
                chunk_rows=terms.chunk_rows,
                pool=pool,
            )
            for dataset, ids in terms.ids.items()
            for peer in terms.peers
        }

    def produce(self, kind: MessageKind, dataset: str, peer: str, index: int) -> tuple[bytes, int]:
        """Makes a message for a feature party: a request, or digests once all parties' answers came.

        Args:
            kind: PSI_REQUEST or ALIGNED_DIGESTS.
            dataset: name of the dataset.
            peer: who gets the message.
            index: the next one, or the last one again.

        Returns:
            The message, and how many of its kind there are for this dataset and peer.

        Raises:
            SessionError: the message does not come next.
            InternalError: a worker process died.
        """
        self._terms.check_pair(dataset, peer)
        client = self._clients[dataset, peer]
        if kind == party_pb2.MESSAGE_KIND_PSI_REQUEST:
            return client.requests.take(index), client.requests.total
        if kind != party_pb2.MESSAGE_KIND_ALIGNED_DIGESTS:
            raise _foreign(kind, "produces")
        if dataset not in self._aligned:
            raise SessionError("digests asked for before all answers came", where=f"dataset {dataset}, peer {peer}")
        digests = self._digests[dataset, peer]
        return digests.take(index), digests.total

    def consume(self, kind: MessageKind, dataset: str, peer: str, index: int, message: bytes) -> int:
        """Takes a message of a feature party.

        Args:
            kind: PSI_SETUP, PSI_RESPONSE or ALIGNMENT_PROOF.
            dataset: name of the dataset.
            peer: who sent the message.
            index: of the message, in order.
            message: its bytes.

        Returns:
            Rows in common of all parties; 0 before all setups and answers came.

        Raises:
            AlignmentError: the message cannot be used, nothing is in common, or the peer's order is another one.
            PolicyError: fewer rows in common than the policy asks for.
            SessionError: the message does not come next.
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
            raise _foreign(kind, "consumes")
        clients = [self._clients[dataset, name] for name in self._terms.peers]
        if dataset not in self._aligned and all(client.complete for client in clients):
            self._intersect(dataset, clients)
        return len(self._aligned[dataset].rows) if dataset in self._aligned else 0

    def results(self) -> dict[str, AlignedRows]:
        """The aligned rows by dataset.

        Raises:
            SessionError: not every feature party proved yet that it has the same order.
        """
        missing = len(self._clients) - len(self._proven)
        if missing:
            raise SessionError("the alignment is not complete", received=f"{missing} proofs fewer than needed")
        return dict(self._aligned)

    def close(self) -> None:
        """Drops what is still queued at the pool."""
        for client in self._clients.values():
            client.close()

    def _intersect(self, dataset: str, clients: list[PsiClient]) -> None:
        rows = clients[0].rows_in_common()
        for client in clients[1:]:
            rows = np.intersect1d(rows, client.rows_in_common(), assume_unique=True)
        self._terms.check_rows_in_common(dataset, len(rows))
        ids = self._terms.ids[dataset]
        # Strings compare by code points, which is the order of their UTF-8 bytes.
        ordered = np.array(sorted(rows.tolist(), key=ids.__getitem__), dtype=np.int64)
        aligned = AlignedRows(self._new_alignment_id(), ordered)
        self._aligned[dataset] = aligned
        total = chunk_count(len(ordered), self._terms.chunk_rows)
        for peer in self._terms.peers:
            where = f"aligned digests, dataset {dataset}, peer {peer}"
            self._digests[dataset, peer] = Outgoing(total, where, self._digest_messages(dataset, peer, aligned))

    def _digest_messages(self, dataset: str, peer: str, aligned: AlignedRows) -> Iterator[Future[bytes]]:
        ids = self._terms.ids[dataset]
        key = self._pair_key(peer)
        for start in range(0, len(aligned.rows), self._terms.chunk_rows):
            rows = aligned.rows[start : start + self._terms.chunk_rows].tolist()
            digests = tuple(id_digest(key, dataset, ids[row]) for row in rows)
            yield finished(DigestChunk(aligned.alignment_id, len(aligned.rows), digests).to_bytes())

    def _verify_proof(self, dataset: str, peer: str, index: int, message: bytes) -> None:
        where = f"alignment proof, dataset {dataset}, peer {peer}"
        aligned = self._aligned.get(dataset)
        if aligned is None or index != 0 or (dataset, peer) in self._proven:
            raise SessionError("a proof out of order", where=where, received=f"message {index}")
        ids = self._terms.ids[dataset]
        ordered_ids = (ids[row] for row in aligned.rows.tolist())
        expected = order_proof(self._pair_key(peer), peer, dataset, aligned.alignment_id, ordered_ids)
        if not hmac.compare_digest(expected, message):
            raise AlignmentError("the peer's rows are not in the common order", where=where, fix="align again")
        self._proven.add((dataset, peer))


class FeatureSide:
    """A feature party: serves the label party, and learns which of its own rows are in common.

    Calls must not overlap. The same message may be asked for twice in a row; messages are taken once.

    Args:
        terms: of this party; the label party is its only peer.
        pair_key: gives the 32 bytes that only this party and a named peer know.
        pool: workers; the exchange only queues and drops calls.
    """

    def __init__(self, terms: AlignmentTerms, *, pair_key: PairKey, pool: WorkerPool) -> None:
        self._terms = terms
        self._pair_key = pair_key
        self._proofs: dict[str, Outgoing] = {}
        self._servers: dict[str, PsiServer] = {}
        self._orders: dict[str, CommonOrder] = {}
        (peer,) = terms.peers
        for dataset, ids in terms.ids.items():
            self._orders[dataset] = CommonOrder(peer=peer, dataset=dataset, terms=terms, key=pair_key(peer))
            self._servers[dataset] = PsiServer(
                peer=peer,
                dataset=dataset,
                ids=ids,
                peer_rows=terms.peers[peer][dataset],
                chunk_rows=terms.chunk_rows,
                pool=pool,
            )

    def produce(self, kind: MessageKind, dataset: str, peer: str, index: int) -> tuple[bytes, int]:
        """Makes a message for the label party.

        Args:
            kind: PSI_SETUP, PSI_RESPONSE or ALIGNMENT_PROOF.
            dataset: name of the dataset.
            peer: who gets the message.
            index: the next one, or the last one again.

        Returns:
            The message, and how many of its kind there are for this dataset.

        Raises:
            AlignmentError: the request to answer holds an element that is no point of the curve.
            SessionError: the message does not come next.
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
            raise _foreign(kind, "produces")
        return messages.take(index), messages.total

    def consume(self, kind: MessageKind, dataset: str, peer: str, index: int, message: bytes) -> int:
        """Takes a message of the label party.

        Args:
            kind: PSI_REQUEST or ALIGNED_DIGESTS.
            dataset: name of the dataset.
            peer: who sent the message.
            index: of the message, in order.
            message: its bytes.

        Returns:
            Rows in common of all parties; 0 before the last digest came.

        Raises:
            AlignmentError: the message cannot be used.
            PolicyError: fewer rows in common than the policy asks for.
            SessionError: the message does not come next.
        """
        self._terms.check_pair(dataset, peer)
        server = self._servers[dataset]
        order = self._orders[dataset]
        if kind == party_pb2.MESSAGE_KIND_PSI_REQUEST:
            server.take_request(index, message)
        elif kind == party_pb2.MESSAGE_KIND_ALIGNED_DIGESTS:
            order.take(index, message)
        else:
            raise _foreign(kind, "consumes")
        return len(order.aligned.rows) if order.aligned is not None else 0

    def results(self) -> dict[str, AlignedRows]:
        """The aligned rows by dataset.

        Raises:
            SessionError: digests of a dataset are still missing.
        """
        aligned = {dataset: order.aligned for dataset, order in self._orders.items()}
        complete = {dataset: rows for dataset, rows in aligned.items() if rows is not None}
        missing = len(aligned) - len(complete)
        if missing:
            raise SessionError("the alignment is not complete", received=f"no digests yet of {missing} datasets")
        return complete

    def close(self) -> None:
        """Drops what is still queued at the pool."""
        for server in self._servers.values():
            server.close()

    def _proof(self, dataset: str, peer: str) -> Outgoing:
        aligned = self._orders[dataset].aligned
        where = f"alignment proof, dataset {dataset}, peer {peer}"
        if aligned is None:
            raise SessionError("a proof asked for before all digests came", where=where)
        if dataset not in self._proofs:
            ids = self._terms.ids[dataset]
            ordered_ids = (ids[row] for row in aligned.rows.tolist())
            proof = order_proof(self._pair_key(peer), self._terms.party, dataset, aligned.alignment_id, ordered_ids)
            self._proofs[dataset] = Outgoing(1, where, [finished(proof)])
        return self._proofs[dataset]


def _foreign(kind: MessageKind, verb: str) -> SessionError:
    name = MessageKind.Name(kind) if kind in MessageKind.values() else f"kind {int(kind)}"
    return SessionError(f"a kind of message that this side never {verb}", received=name)
