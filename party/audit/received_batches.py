"""Batches in memory, as attacks read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from party.audit.received_batch import ReceivedBatch
from party.audit.received_header import ReceivedHeader


class ReceivedBatches:
    """Batches that a party would have received.

    Args:
        header: what all batches have in common.
        batches: the batches in the order in which they came.
    """

    def __init__(self, header: ReceivedHeader, batches: Sequence[ReceivedBatch]) -> None:
        self.header = header
        self._batches = tuple(batches)

    def batches(self) -> Iterator[ReceivedBatch]:
        """All batches in the order in which they came."""
        return iter(self._batches)
