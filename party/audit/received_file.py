"""Reads a file of received batches, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from party.audit.received_batch import ReceivedBatch, read_batch
from party.audit.received_header import SUFFIX, MessageName, PurposeOfBatches, ReceivedHeader
from party.errors import StorageError
from party.security.files import open_private

LARGEST_HEADER_BYTES = 1 << 20


class ReceivedFile:
    """The batches that one peer sent in one run.

    Args:
        path: the file.

    Raises:
        StorageError: it cannot be read, is open to others, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_private(path) as file:
            self.header = _read_header(file, path)

    def batches(self) -> Iterator[ReceivedBatch]:
        """All batches in the order in which they came, each held in memory only while it is used.

        A record that a crash left half written, and what follows it, is left out.

        Raises:
            StorageError: the file cannot be read.
        """
        with open_private(self.path) as file:
            _read_header(file, self.path)
            while (batch := read_batch(file)) is not None:
                yield batch

    def scan(self) -> tuple[set[int], int]:
        """The positions that the file holds, and the number of bytes of its intact part.

        Raises:
            StorageError: the file cannot be read.
        """
        positions: set[int] = set()
        with open_private(self.path) as file:
            _read_header(file, self.path)
            intact = file.tell()
            while (batch := read_batch(file)) is not None:
                positions.add(batch.position)
                intact = file.tell()
        return positions, intact


def received_files(folder: Path, kind: MessageName, purpose: PurposeOfBatches = "training") -> list[ReceivedFile]:
    """The files in a folder that hold what was received of one kind, ascending by name.

    Args:
        folder: the folder `received` of a run.
        kind: gradients or hiddens.
        purpose: whether in training, or in evaluations and predictions.

    Raises:
        StorageError: a file cannot be read, or is no such file.
    """
    files = [ReceivedFile(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return [one for one in files if one.header.kind == kind and one.header.purpose == purpose]


def _read_header(file: BinaryIO, path: Path) -> ReceivedHeader:
    try:
        return ReceivedHeader.model_validate_json(file.readline(LARGEST_HEADER_BYTES))
    except ValidationError:
        raise StorageError(
            "holds no received batches", where=path, fix="remove it", public_message="a recording is damaged"
        ) from None
