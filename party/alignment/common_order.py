"""A feature party's own rows in the common order, found by the elements that the label party marks."""

from __future__ import annotations

import numpy as np

from party.alignment.aligned_elements import AlignmentSummary, aligned_elements_from_bytes
from party.alignment.messages import Incoming, chunk_count, rows_of_chunk
from party.alignment.terms import AlignedRows, AlignmentTerms
from party.data.sorting import Order
from party.errors import AlignmentError


class CommonOrder:
    """Maps marked elements to own rows, message by message.

    Args:
        terms: this party's alignment terms.
        dataset: name of the dataset.
        peer: name of the label party.
        setup_order: own row number by position in the setup that was sent; nobody else knows it. Shape (rows,), int32.
    """

    def __init__(self, terms: AlignmentTerms, dataset: str, peer: str, setup_order: Order) -> None:
        self._where = f"aligned elements, {terms.place(dataset, peer)}"
        self._dataset = dataset
        self._terms = terms
        self._ids = terms.ids[dataset]
        self._most_rows = min(len(self._ids), terms.peers[peer][dataset])
        self._setup_order = setup_order
        self._messages = Incoming(chunk_count(len(self._ids), terms.chunk_rows), self._where)
        self._summary: AlignmentSummary | None = None
        self._chunks: list[Order] = []
        self._marked = 0
        self._aligned: AlignedRows | None = None

    @property
    def aligned(self) -> AlignedRows | None:
        """The result, once the last message has arrived."""
        return self._aligned

    @property
    def share(self) -> bytes:
        """The label party's share of the proof of order, 32 bytes; empty before the first message."""
        return b"" if self._summary is None else self._summary.share

    def take(self, index: int, message: bytes) -> None:
        """Takes one message of marks; a refused message changes nothing.

        Args:
            index: index of the message; messages come in order.
            message: as `AlignedElements.to_bytes` makes it.

        Raises:
            AlignmentError: the message cannot be used, or the number of marked elements is not the announced one.
            PolicyError: fewer rows in common than the policy requires.
            SessionError: the message is out of order.
        """
        self._messages.expect(index)
        start = index * self._terms.chunk_rows
        count = rows_of_chunk(len(self._ids), self._terms.chunk_rows, index)
        chunk = aligned_elements_from_bytes(message, count, self._where)
        self._check_summary(chunk.summary)
        rows = self._setup_order[start : start + count][chunk.marks]
        self._check_count(chunk.summary.total, self._marked + len(rows))
        self._summary = chunk.summary
        self._chunks.append(rows)
        self._marked += len(rows)
        self._messages.advance()
        if self._messages.complete:
            ordered = self._ids.by_text(np.concatenate(self._chunks))
            summary = chunk.summary
            self._aligned = AlignedRows(summary.alignment_id, ordered, summary.row_secret)
            self._chunks = []

    def _check_summary(self, summary: AlignmentSummary) -> None:
        if self._summary is not None:
            if summary != self._summary:
                raise AlignmentError("messages that belong to different alignments", where=self._where)
            return
        self._terms.check_rows_in_common(self._dataset, summary.total)
        if summary.total > self._most_rows:
            raise AlignmentError(
                "more rows in common than there can be",
                where=self._where,
                expected=f"at most {self._most_rows}",
                received=f"{summary.total}",
            )

    def _check_count(self, total: int, marked: int) -> None:
        fewer = self._messages.last_is_next and marked < total
        if fewer or marked > total:
            raise AlignmentError(
                f"{'fewer' if fewer else 'more'} elements than announced",
                where=self._where,
                expected=f"{total}",
                received=f"{marked}",
            )
