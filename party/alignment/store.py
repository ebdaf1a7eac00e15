"""Stored alignments: one file per dataset, reused while the data file and the parties are the same.

Those of joins have files of another form in the same folder.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from party.alignment.aligned_elements import ALIGNMENT_ID_BYTES
from party.alignment.joined_store import JoinedStore
from party.alignment.stored_arrays import read_arrays, write_arrays
from party.data.scratch import Scratch
from party.errors import StorageError
from party.security.files import private_folder
from party.security.row_secret import ROW_SECRET_BYTES, RowSecret

_FORMAT = 4
_EARLIER_FORMATS = (1, 2)  # without a row secret; with ids as files print them, which may be others now


@dataclass(frozen=True, kw_only=True)
class StoredAlignment:
    """One dataset's alignment at one party.

    Attributes:
        alignment_id: id of the alignment, 16 bytes, the same at every party.
        rows: own row numbers in the common order; shape (rows in common,), integers.
        data_sha256: digest of the data file, 32 bytes; never sent.
        id_column: name of the id column that was aligned on.
        parties: names of all aligned parties, ascending.
        row_secret: determines the order of rows; the same at every party.
    """

    alignment_id: bytes
    rows: NDArray[np.integer[Any]]
    data_sha256: bytes
    id_column: str
    parties: tuple[str, ...]
    row_secret: RowSecret


class AlignmentStore:
    """The folder of a party's stored alignments.

    Args:
        folder: created with mode 0700 if it does not exist.

    Raises:
        StorageError: the folder cannot be created, or is open to others.

    Attributes:
        joined: the alignments of joins.
        scratch: for arrays of large datasets while an alignment is made or used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)
        self.scratch = Scratch(folder)
        self.joined = JoinedStore(folder, self.scratch)

    def save(self, dataset: str, alignment: StoredAlignment) -> None:
        """Writes a dataset's alignment over a former one.

        Args:
            dataset: name of the dataset.
            alignment: the alignment to store.

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
                "row_secret": alignment.row_secret.secret.hex(),
                "row_secret_pinned": alignment.row_secret.pinned,
            }
        ).encode()
        rows = alignment.rows.astype("<i8")
        digest = np.frombuffer(_digest(header, rows), np.uint8)
        write_arrays(self._path(dataset), {"header": np.frombuffer(header, np.uint8), "rows": rows, "sha256": digest})

    def load(self, dataset: str, *, data_sha256: bytes, parties: tuple[str, ...]) -> StoredAlignment | None:
        """Reads a dataset's alignment if it is still valid.

        Args:
            dataset: name of the dataset.
            data_sha256: digest of the data file as it is now, 32 bytes.
            parties: names of all parties of the run, ascending.

        Returns:
            The alignment; None if there is none with a row secret for this data file and these parties.

        Raises:
            StorageError: the file is damaged, or open to others.
        """
        alignment = self.stored(dataset)
        if alignment is None or alignment.data_sha256 != data_sha256 or alignment.parties != parties:
            return None
        return alignment

    def stored(self, dataset: str) -> StoredAlignment | None:
        """Reads a dataset's alignment, whether or not it is still valid.

        Args:
            dataset: name of the dataset.

        Returns:
            The alignment; None if there is none with a row secret.

        Raises:
            StorageError: the file is damaged, or open to others.
        """
        path = self._path(dataset)
        return _parse(path, dataset, self.scratch) if path.exists() else None

    def _path(self, dataset: str) -> Path:
        return self._folder / f"{dataset}.npz"


def _digest(header: bytes, rows: NDArray[np.int64]) -> bytes:
    digest = hashlib.sha256(hashlib.sha256(header).digest())
    digest.update(np.ascontiguousarray(rows).data)
    return digest.digest()


def _parse(path: Path, dataset: str, scratch: Scratch) -> StoredAlignment | None:
    """The content of a file; None where it is of an earlier format."""
    try:
        arrays = read_arrays(path, scratch)
        header, rows, digest = arrays["header"].tobytes(), arrays["rows"], arrays["sha256"].tobytes()
        if digest != _digest(header, rows):
            raise ValueError("digest")
        fields = json.loads(header)
        if fields["format"] in _EARLIER_FORMATS:
            return None
        if fields["format"] != _FORMAT or fields["dataset"] != dataset or rows.dtype != np.dtype("<i8"):
            raise ValueError("format")
        alignment = StoredAlignment(
            alignment_id=bytes.fromhex(fields["alignment_id"]),
            rows=rows,
            data_sha256=bytes.fromhex(fields["data_sha256"]),
            id_column=fields["id_column"],
            parties=tuple(fields["parties"]),
            row_secret=RowSecret(bytes.fromhex(fields["row_secret"]), bool(fields["row_secret_pinned"])),
        )
    except (ValueError, KeyError, TypeError, EOFError, OSError, NotImplementedError, zipfile.BadZipFile):
        raise _damaged(path) from None
    lengths = (len(alignment.alignment_id), len(alignment.row_secret.secret))
    if lengths != (ALIGNMENT_ID_BYTES, ROW_SECRET_BYTES):
        raise _damaged(path)
    return alignment


def _damaged(path: Path) -> StorageError:
    what, fix = "the stored alignment is damaged", "delete it and align again"
    return StorageError(what, where=path, fix=fix, public_message=f"{what}; {fix}")
