"""The label party's half of a private set intersection with one feature party over one dataset."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future

from party.alignment.curve import new_key
from party.alignment.encrypted_ids import encrypted_ids
from party.alignment.hidden_order import hidden_order
from party.alignment.matches import Matches
from party.alignment.messages import Incoming, chunk_count, rows_of_chunk
from party.alignment.pool import WorkerPool, outcome
from party.alignment.psi import answer_request, check_elements
from party.alignment.received_elements import ReceivedElements, equal_elements
from party.alignment.terms import AlignmentTerms


class PsiClient:
    """Sends encrypted ids, receives the peer's elements and answers, and learns which own rows are in common.

    It encrypts the peer's elements once more with its own key: if one of them equals an answer, both stand for the same
    id. An answer is only compared: one that is not a point of the curve equals none of them.

    Args:
        terms: this party's alignment terms.
        dataset: name of the dataset.
        peer: name of the feature party.
        pool: the pool of workers.
    """

    def __init__(self, terms: AlignmentTerms, dataset: str, peer: str, pool: WorkerPool) -> None:
        where = terms.place(dataset, peer)
        ids, peer_rows, chunk_rows = terms.ids[dataset], terms.peers[peer][dataset], terms.chunk_rows
        self._rows = len(ids)
        self._peer_rows = peer_rows
        self._chunk_rows = chunk_rows
        self._pool = pool
        self._key = new_key()
        self._order = hidden_order(self._key, ids, terms.scratch)
        self._setup_messages = Incoming(chunk_count(peer_rows, chunk_rows), f"PSI setup, {where}")
        self._under_way: deque[Future[bytes]] = deque()
        self._setup = ReceivedElements(peer_rows, self._setup_messages.where, terms.scratch)
        self._response_messages = Incoming(chunk_count(self._rows, chunk_rows), f"PSI response, {where}")
        self._responses = ReceivedElements(self._rows, self._response_messages.where, terms.scratch)
        self.requests = encrypted_ids(terms, dataset, self._order, self._key, pool=pool, where=f"PSI request, {where}")

    @property
    def complete(self) -> bool:
        """Whether every message of the peer has arrived."""
        return self._setup_messages.complete and self._response_messages.complete

    def take_setup(self, index: int, message: bytes) -> None:
        """Takes a chunk of the peer's elements, and starts to encrypt it once more.

        Args:
            index: index of the chunk.
            message: its elements.

        Raises:
            AlignmentError: the chunk is one too many or has the wrong size.
            SessionError: the chunk is out of order.
        """
        where = self._setup_messages.where
        self._setup_messages.expect(index)
        check_elements(message, rows_of_chunk(self._peer_rows, self._chunk_rows, index), where)
        self._under_way.append(self._pool.submit(answer_request, self._key, message, where))
        self._setup_messages.advance()
        while self._under_way and self._under_way[0].done():
            self._keep_first()

    def take_response(self, index: int, message: bytes) -> None:
        """Takes the answer to a request.

        Args:
            index: index of the request.
            message: its elements, encrypted by the peer.

        Raises:
            AlignmentError: the answer is one too many or has the wrong size.
            SessionError: the answer is out of order.
        """
        where = self._response_messages.where
        self._response_messages.expect(index)
        check_elements(message, rows_of_chunk(self._rows, self._chunk_rows, index), where)
        self._responses.append(message)
        self._response_messages.advance()

    def matches(self) -> Matches:
        """Waits for the last of the peer's elements.

        Returns:
            Own rows whose ids the peer has too, each with the position of the peer's element.

        Raises:
            AlignmentError: the peer sent an element that is not a point of the curve, or sent an element or an answer
                twice: an answer that counts for two ids would let the peer claim an id that it does not hold.
            InternalError: a worker process died.
        """
        while self._under_way:
            self._keep_first()
        positions, places = equal_elements(self._setup, self._responses)
        return Matches(self._order[places], positions)

    def close(self) -> None:
        """Drops the calls that are still queued at the pool."""
        self.requests.close()
        for future in self._under_way:
            future.cancel()

    def _keep_first(self) -> None:
        self._setup.append(outcome(self._under_way[0]))
        self._under_way.popleft()
