"""A feature party's half of a private set intersection with the label party over one dataset."""

from __future__ import annotations

from party.alignment.curve import new_key
from party.alignment.encrypted_ids import encrypted_ids
from party.alignment.hidden_order import hidden_order
from party.alignment.messages import Incoming, Outgoing, chunk_count, rows_of_chunk
from party.alignment.pool import WorkerPool
from party.alignment.psi import answer_request, check_elements
from party.alignment.terms import AlignmentTerms


class PsiServer:
    """Sends its own encrypted ids and answers as many of the peer's as the peer declared; learns nothing.

    Args:
        terms: this party's alignment terms.
        dataset: name of the dataset.
        peer: name of the label party.
        pool: the pool of workers.

    Attributes:
        setup_order: own row number by position in the setup; shape (rows,), int32. A secret key determines it, so that
            it reveals nothing about the order of the file.
    """

    def __init__(self, terms: AlignmentTerms, dataset: str, peer: str, pool: WorkerPool) -> None:
        where = terms.place(dataset, peer)
        ids, peer_rows, chunk_rows = terms.ids[dataset], terms.peers[peer][dataset], terms.chunk_rows
        self._peer_rows = peer_rows
        self._chunk_rows = chunk_rows
        self._pool = pool
        self._key = new_key()
        self.setup_order = hidden_order(self._key, ids, terms.scratch)
        self.setup = encrypted_ids(terms, dataset, self.setup_order, self._key, pool=pool, where=f"PSI setup, {where}")
        requests = chunk_count(peer_rows, chunk_rows)
        self._request_messages = Incoming(requests, f"PSI request, {where}")
        self.responses = Outgoing(requests, f"PSI response, {where}")

    def take_request(self, index: int, message: bytes) -> None:
        """Takes a chunk of the peer's encrypted ids, and starts to answer it.

        Args:
            index: index of the request; its answer has the same.
            message: its elements.

        Raises:
            AlignmentError: the request is one too many or has the wrong size.
            SessionError: the request is out of order.
        """
        where = self._request_messages.where
        self._request_messages.expect(index)
        check_elements(message, rows_of_chunk(self._peer_rows, self._chunk_rows, index), where)
        self.responses.add(self._pool.submit(answer_request, self._key, message, where))
        self._request_messages.advance()

    def close(self) -> None:
        """Drops the calls that are still queued at the pool."""
        self.setup.close()
        self.responses.close()
