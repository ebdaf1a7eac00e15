"""What attacks read: batches that can be gone through several times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from party.audit.received_batch import ReceivedBatch
from party.audit.received_header import ReceivedHeader


class Received(Protocol):
    """What one peer sent in one run, such as a `ReceivedFile`."""

    @property
    def header(self) -> ReceivedHeader:
        """What all batches have in common."""

    def batches(self) -> Iterator[ReceivedBatch]:
        """All batches in the order in which they came, from the beginning at each call."""
