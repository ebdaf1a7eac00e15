"""Stored alignments: one file per dataset, used again while the data file and the parties are the same."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from party.alignment.digests import ALIGNMENT_ID_BYTES
from party.errors import StorageError
from party.security.files import private_folder, read_private, write_atomically

_FORMAT = 1


@dataclass(frozen=True)
class StoredAlignment:
    """One dataset's alignment at one party.

    Attributes:
        alignment_id: 16 bytes, the same at every party.
        rows: own row numbers in the common order; shape (rows in common,), int64.
        data_sha256: digest of the data file, 32 bytes; never sent to anybody.
        id_column: name of the id column that was aligned on.
        parties: names of all aligned parties, ascending.
    """

    alignment_id: bytes
    rows: NDArray[np.int64]
    data_sha256: bytes
    id_column: str
    parties: tuple[str, ...]


class AlignmentStore:
    """The folder of a party's stored alignments.

    Args:
        folder: created with mode 0700 where absent.

    Raises:
        StorageError: the folder cannot be created, or is open to others.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)

    def save(self, dataset: str, alignment: StoredAlignment) -> None:
        """Writes a dataset's alignment over a former one.

        Args:
            dataset: name of the dataset.
            alignment: what to keep.

        Raises:
            StorageError: the file cannot be written; a former one is unchanged.
        """
        header = json.dumps(
            {
                "format": _FORMAT,
                "dataset": dataset,
                "alignment_id": alignment.alignment_id.hex(),
                "data_sha256": alignment.data_sha256.hex(),
                "id_column": alignment.id_column,
                "parties": list(alignment.parties),
            }
        ).encode()
        rows = alignment.rows.astype("<i8")
        content = io.BytesIO()
        np.savez(
            content,
            header=np.frombuffer(header, dtype=np.uint8),
            rows=rows,
            sha256=np.frombuffer(_digest(header, rows), dtype=np.uint8),
        )
        write_atomically(self._path(dataset), content.getvalue())

    def load(self, dataset: str, *, data_sha256: bytes, parties: tuple[str, ...]) -> StoredAlignment | None:
        """Reads a dataset's alignment where it still holds.

        Args:
            dataset: name of the dataset.
            data_sha256: digest of the data file as it is now, 32 bytes.
            parties: names of all parties of the run, ascending.

        Returns:
            The alignment; None where there is none for this data file and these parties.

        Raises:
            StorageError: the file is damaged, or open to others.
        """
        path = self._path(dataset)
        if not path.exists():
            return None
        alignment = _parse(read_private(path), dataset, path)
        if alignment.data_sha256 != data_sha256 or alignment.parties != parties:
            return None
        return alignment

    def _path(self, dataset: str) -> Path:
        return self._folder / f"{dataset}.npz"


def _digest(header: bytes, rows: NDArray[np.int64]) -> bytes:
    return hashlib.sha256(hashlib.sha256(header).digest() + rows.tobytes()).digest()


def _parse(content: bytes, dataset: str, path: Path) -> StoredAlignment:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            header, rows, digest = arrays["header"].tobytes(), arrays["rows"], arrays["sha256"].tobytes()
        if digest != _digest(header, rows):
            raise ValueError("digest")
        fields = json.loads(header)
        if fields["format"] != _FORMAT or fields["dataset"] != dataset or rows.dtype != np.dtype("<i8"):
            raise ValueError("format")
        alignment = StoredAlignment(
            bytes.fromhex(fields["alignment_id"]),
            rows.astype(np.int64),
            bytes.fromhex(fields["data_sha256"]),
            fields["id_column"],
            tuple(fields["parties"]),
        )
    except (ValueError, KeyError, TypeError, EOFError, OSError, NotImplementedError, zipfile.BadZipFile):
        raise StorageError(
            "the stored alignment is damaged", where=str(path), fix="delete it and align again"
        ) from None
    if len(alignment.alignment_id) != ALIGNMENT_ID_BYTES:
        raise StorageError("the stored alignment is damaged", where=str(path), fix="delete it and align again")
    return alignment
