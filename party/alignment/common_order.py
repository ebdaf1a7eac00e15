"""A feature party's own rows in the common order, found by the digests that the label party sends."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from party.alignment.digests import DigestChunk, digest_chunk_from_bytes, id_digest
from party.alignment.messages import rows_of_chunk
from party.alignment.terms import AlignedRows, AlignmentTerms
from party.errors import AlignmentError, SessionError


class CommonOrder:
    """Maps digests to own rows, message by message.

    Args:
        peer: name of the label party.
        dataset: name of the dataset.
        terms: of this party.
        key: 32 bytes that only this party and the label party know.
    """

    def __init__(self, *, peer: str, dataset: str, terms: AlignmentTerms, key: bytes) -> None:
        self._where = f"aligned digests, dataset {dataset}, peer {peer}"
        self._dataset = dataset
        self._terms = terms
        self._ids: Sequence[str] = terms.ids[dataset]
        self._most_rows = min(len(self._ids), terms.peers[peer][dataset])
        self._key = key
        self._row_by_digest: dict[bytes, int] = {}
        self._first: DigestChunk | None = None
        self._next = 0
        self._rows: list[int] = []
        self._aligned: AlignedRows | None = None

    @property
    def aligned(self) -> AlignedRows | None:
        """The result, once the last message came."""
        return self._aligned

    def take(self, index: int, message: bytes) -> None:
        """Takes one message of digests; a refused one changes nothing.

        Args:
            index: of the message, in order.
            message: as `DigestChunk.to_bytes` makes it.

        Raises:
            AlignmentError: the digests are not those of own ids in the common order, or not as many as announced.
            PolicyError: fewer rows in common than the policy asks for.
            SessionError: the message is out of order.
        """
        if self._aligned is not None:
            raise AlignmentError("more digests than announced", where=self._where, received=f"message {index}")
        if index != self._next:
            raise SessionError(
                "a message out of order",
                where=self._where,
                expected=f"message {self._next}",
                received=f"message {index}",
            )
        chunk = digest_chunk_from_bytes(message, self._where)
        self._check_header(chunk)
        self._rows.extend(self._rows_of(chunk))
        self._first = self._first or chunk
        self._next += 1
        if len(self._rows) == chunk.total:
            self._aligned = AlignedRows(chunk.alignment_id, np.array(self._rows, dtype=np.int64))
            self._row_by_digest = {}

    def _check_header(self, chunk: DigestChunk) -> None:
        if self._first is None:
            self._terms.check_rows_in_common(self._dataset, chunk.total)
            if chunk.total > self._most_rows:
                raise AlignmentError(
                    "more rows in common than there can be",
                    where=self._where,
                    expected=f"at most {self._most_rows}",
                    received=f"{chunk.total}",
                )
        elif (chunk.alignment_id, chunk.total) != (self._first.alignment_id, self._first.total):
            raise AlignmentError("messages that belong to different alignments", where=self._where)
        count = rows_of_chunk(chunk.total, self._terms.chunk_rows, self._next)
        if len(chunk.digests) != count:
            raise AlignmentError(
                f"{'fewer' if len(chunk.digests) < count else 'more'} digests than announced",
                where=self._where,
                expected=f"{count} in message {self._next}",
                received=f"{len(chunk.digests)}",
            )

    def _rows_of(self, chunk: DigestChunk) -> list[int]:
        if not self._row_by_digest:
            self._row_by_digest = {
                id_digest(self._key, self._dataset, sample_id): row for row, sample_id in enumerate(self._ids)
            }
        known = [self._row_by_digest[digest] for digest in chunk.digests if digest in self._row_by_digest]
        if len(known) < len(chunk.digests):
            unknown = len(chunk.digests) - len(known)
            raise AlignmentError("digests of no own id", where=self._where, received=f"{unknown} unknown digests")
        repeated = len(known) - len(set(known)) + len(set(known).intersection(self._rows))
        if repeated:
            raise AlignmentError(
                "digests that are there more than once", where=self._where, received=f"{repeated} repeated digests"
            )
        # Strings compare by code points, which is the order of their UTF-8 bytes.
        if any(self._ids[former] >= self._ids[latter] for former, latter in pairwise([*self._rows[-1:], *known])):
            raise AlignmentError("digests that are not in the common order", where=self._where)
        return known
