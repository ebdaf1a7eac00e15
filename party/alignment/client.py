"""The label party's half of a private set intersection with one feature party over one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from party.alignment.matches import Matches
from party.alignment.messages import CHUNKS_AHEAD_PER_WORKER, Incoming, Outgoing, chunk_count, rows_of_chunk
from party.alignment.pool import WorkerPool, outcome
from party.alignment.psi import ELEMENT_BYTES, answer_request, check_elements, encrypt, hidden_order, new_key
from party.alignment.terms import AlignmentTerms
from party.errors import AlignmentError

Elements = NDArray[np.bytes_]


class PsiClient:
    """Sends encrypted ids, receives the peer's elements and answers, and learns which own rows are in common.

    It encrypts the peer's elements once more with its own key: if one of them equals an answer, both stand for the same
    id. An answer that is not a point of the curve equals none of them.

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
        self._order = hidden_order(self._key, ids, where)
        self._setup_messages = Incoming(chunk_count(peer_rows, chunk_rows), f"PSI setup, {where}")
        self._setup: list[Future[bytes]] = []
        total = chunk_count(self._rows, chunk_rows)
        self._response_messages = Incoming(total, f"PSI response, {where}")
        self._responses: list[bytes] = []
        order = iter(self._order)
        self.requests = Outgoing(
            total,
            f"PSI request, {where}",
            (pool.submit(encrypt, self._key, [ids[row] for row in islice(order, chunk_rows)]) for _ in range(total)),
            CHUNKS_AHEAD_PER_WORKER * pool.workers,
        )

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
        self._setup.append(self._pool.submit(answer_request, self._key, message, where))
        self._setup_messages.advance()

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
        setup = _elements([outcome(future) for future in self._setup], self._setup_messages.where)
        responses = _elements(self._responses, self._response_messages.where)
        self._setup, self._responses = [], []
        _, positions, places = np.intersect1d(setup, responses, assume_unique=True, return_indices=True)
        rows = np.array(self._order, dtype=np.int64)[places]
        return Matches(rows, positions.astype(np.int64))

    def close(self) -> None:
        """Drops the calls that are still queued at the pool."""
        self.requests.close()
        for future in self._setup:
            future.cancel()


def _elements(chunks: Sequence[bytes], where: str) -> Elements:
    """The elements of all chunks, in their order, which must be distinct."""
    elements = np.frombuffer(b"".join(chunks), dtype=f"S{ELEMENT_BYTES}")
    ordered = np.sort(elements)
    repeated = int(np.count_nonzero(ordered[1:] == ordered[:-1]))
    if repeated:
        raise AlignmentError("elements that occur more than once", where=where, received=f"{repeated} repetitions")
    return elements
