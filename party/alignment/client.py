"""The label party's half of a private set intersection with one feature party over one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from party.alignment.messages import CHUNKS_AHEAD_PER_WORKER, Incoming, Outgoing, chunk_count, rows_of_chunk
from party.alignment.pool import WorkerPool, outcome
from party.alignment.psi import (
    ELEMENT_BYTES,
    check_elements,
    encrypt_request,
    hidden_order,
    intersect,
    new_key,
)
from party.errors import AlignmentError

MINIMUM_INTERSECTIONS = 8
INTERSECTIONS_PER_WORKER = 2


class PsiClient:
    """Sends encrypted ids, takes the peer's elements and answers, and learns which own rows are in common.

    Args:
        peer: name of the feature party.
        dataset: name of the dataset.
        ids: own ids by row, unique.
        peer_rows: rows that the peer declared.
        chunk_rows: ids of one message.
        pool: workers.
    """

    def __init__(
        self, *, peer: str, dataset: str, ids: Sequence[str], peer_rows: int, chunk_rows: int, pool: WorkerPool
    ) -> None:
        where = f"dataset {dataset}, peer {peer}"
        self._rows = len(ids)
        self._peer_rows = peer_rows
        self._chunk_rows = chunk_rows
        self._pool = pool
        self._key = new_key()
        self._order = hidden_order(self._key, ids, where)
        self._setup_messages = Incoming(chunk_count(peer_rows, chunk_rows), f"PSI setup, {where}")
        self._setup_chunks: list[bytes] = []
        self._setup = b""
        total = chunk_count(self._rows, chunk_rows)
        self._response_messages = Incoming(total, f"PSI response, {where}")
        self._responses: list[bytes] = []
        # Every intersection reads the whole setup again: few of them, yet enough to keep all workers busy.
        self._group = chunk_count(total, max(MINIMUM_INTERSECTIONS, INTERSECTIONS_PER_WORKER * pool.workers))
        self._intersections: list[Future[list[int]]] = []
        order = iter(self._order)
        self.requests = Outgoing(
            total,
            f"PSI request, {where}",
            (
                pool.submit(encrypt_request, self._key, [ids[row] for row in islice(order, chunk_rows)])
                for _ in range(total)
            ),
            CHUNKS_AHEAD_PER_WORKER * pool.workers,
        )

    @property
    def complete(self) -> bool:
        """Whether every message of the peer came."""
        return self._setup_messages.complete and self._response_messages.complete

    def take_setup(self, index: int, message: bytes) -> None:
        """Takes a chunk of the peer's elements.

        Args:
            index: of the chunk.
            message: its elements.

        Raises:
            AlignmentError: the chunk is one too many, has the wrong size, or repeats elements.
            SessionError: the chunk is out of order.
        """
        where = self._setup_messages.where
        self._setup_messages.expect(index)
        check_elements(message, rows_of_chunk(self._peer_rows, self._chunk_rows, index), where)
        if self._setup_messages.last_is_next:
            self._setup = _sorted_elements(b"".join([*self._setup_chunks, message]), where)
            self._setup_chunks = []
        else:
            self._setup_chunks.append(message)
        self._setup_messages.advance()
        self._submit_intersections()

    def take_response(self, index: int, message: bytes) -> None:
        """Takes the answer to a request.

        Args:
            index: of the request.
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
        self._submit_intersections()

    def rows_in_common(self) -> NDArray[np.int64]:
        """Waits for the last intersections.

        Returns:
            Own rows whose ids the peer has too, ascending; shape (rows in common,), int64.

        Raises:
            AlignmentError: the peer sent an element that is no point of the curve.
            InternalError: a worker process died.
        """
        rows: list[int] = []
        group_rows = self._group * self._chunk_rows
        for group, future in enumerate(self._intersections):
            rows.extend(self._order[group * group_rows + position] for position in outcome(future))
        self._setup = b""
        return np.sort(np.array(rows, dtype=np.int64))

    def close(self) -> None:
        """Drops what is still queued."""
        self.requests.close()
        for future in self._intersections:
            future.cancel()

    def _submit_intersections(self) -> None:
        if not self._setup_messages.complete:
            return
        while len(self._responses) >= self._group or (self._responses and self._response_messages.complete):
            response = b"".join(self._responses[: self._group])
            del self._responses[: self._group]
            where = self._response_messages.where
            self._intersections.append(self._pool.submit(intersect, self._key, self._setup, response, where))


def _sorted_elements(elements: bytes, where: str) -> bytes:
    ordered = np.sort(np.frombuffer(elements, dtype=f"S{ELEMENT_BYTES}"))
    repeated = int(np.count_nonzero(ordered[1:] == ordered[:-1]))
    if repeated:
        raise AlignmentError("elements that are there more than once", where=where, received=f"{repeated} repetitions")
    return ordered.tobytes()
