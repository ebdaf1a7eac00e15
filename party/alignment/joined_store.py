"""Stored alignments of joins: one file per dataset, reused while what it was made from is the same."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from party.alignment.aligned_elements import ALIGNMENT_ID_BYTES
from party.alignment.joined_rows import JoinCounts
from party.alignment.stored_arrays import read_arrays, write_arrays
from party.data.entities import ABSENT, RowMap
from party.data.scratch import IN_MEMORY, Scratch
from party.errors import StorageError
from party.security.files import private_folder, read_private, write_atomically
from party.security.row_secret import ROW_SECRET_BYTES, RowSecret

ORDER_SECRET_BYTES = 32
_ORDER_SECRET_FILE = "order.secret"  # noqa: S105, the name of a file
_FORMAT = 5
_EARLIER_FORMATS = (3,)  # with keys as files print them, which may be others now
_NUMBER = np.dtype("<i4")
_SUFFIX = ".joined.npz"


@dataclass(frozen=True, kw_only=True, eq=False)
class JoinedAlignment:
    """The alignment of one dataset of the label party with the tables of its peers, at one party.

    Attributes:
        alignment_id: id of the alignment, 16 bytes, the same at every party and for all datasets aligned together.
        rows: own row numbers: at the label party those of the dataset's rows that stay, in their order; at a feature
            party those of its table's entities, in theirs; integers.
        table: the file that `rows` are rows of: the dataset, or the feature party's table.
        data_sha256: digest of that file, 32 bytes; never sent.
        terms: how keys are made of the file's columns and, at the label party, of which joins; never sent.
        parties: names of all aligned parties, ascending.
        row_secret: determines the order of rows of a run; the same at every party.
        maps: by feature party, the entity of each row of the dataset; a feature party has its own alone.
        counts: at the label party, how many rows found a partner.
    """

    alignment_id: bytes
    rows: NDArray[np.integer[Any]]
    table: str
    data_sha256: bytes
    terms: str
    parties: tuple[str, ...]
    row_secret: RowSecret
    maps: Mapping[str, RowMap]
    counts: Sequence[JoinCounts] = ()


class JoinedStore:
    """The alignments of joins in the folder of a party's stored alignments.

    Args:
        folder: created with mode 0700 if it does not exist.
        scratch: keeps large arrays that were read.

    Raises:
        StorageError: the folder cannot be created, or is open to others.
    """

    def __init__(self, folder: Path, scratch: Scratch = IN_MEMORY) -> None:
        self._folder = private_folder(folder)
        self._scratch = scratch

    def order_secret(self, random_bytes: Callable[[int], bytes]) -> bytes:
        """The secret of the order of rows that peers see, the same in every alignment; drawn the first time.

        Args:
            random_bytes: source of fresh randomness.

        Returns:
            32 bytes.

        Raises:
            StorageError: the file is damaged, or cannot be written.
        """
        path = self._folder / _ORDER_SECRET_FILE
        if not path.exists():
            write_atomically(path, random_bytes(ORDER_SECRET_BYTES))
        secret = read_private(path)
        if len(secret) != ORDER_SECRET_BYTES:
            raise _damaged(path, "the secret of the order of rows", "restore it from a backup; or delete it and align")
        return secret

    def save(self, dataset: str, alignment: JoinedAlignment) -> None:
        """Writes a dataset's alignment over a former one.

        Args:
            dataset: name of the label party's dataset.
            alignment: the alignment to store.

        Raises:
            StorageError: the file cannot be written; a former one is unchanged.
        """
        parties = sorted(alignment.maps)
        header = json.dumps(
            {
                "format": _FORMAT,
                "dataset": dataset,
                "alignment_id": alignment.alignment_id.hex(),
                "table": alignment.table,
                "data_sha256": alignment.data_sha256.hex(),
                "terms": alignment.terms,
                "parties": list(alignment.parties),
                "row_secret": alignment.row_secret.secret.hex(),
                "row_secret_pinned": alignment.row_secret.pinned,
                "maps": [[party, alignment.maps[party].entities] for party in parties],
                "counts": [asdict(one) for one in alignment.counts],
            }
        ).encode()
        arrays = [alignment.rows.astype(_NUMBER, copy=False)]
        arrays += [alignment.maps[party].entity_of_row.astype(_NUMBER, copy=False) for party in parties]
        parts: dict[str, NDArray[Any]] = {f"array{place}": array for place, array in enumerate(arrays)}
        parts["header"] = np.frombuffer(header, dtype=np.uint8)
        parts["sha256"] = np.frombuffer(_digest(header, arrays), dtype=np.uint8)
        write_arrays(self._path(dataset), parts)

    def load(self, dataset: str, parties: tuple[str, ...]) -> JoinedAlignment | None:
        """Reads a dataset's alignment; whether its file and terms are still the same is for the caller to compare.

        Args:
            dataset: name of the label party's dataset.
            parties: names of all parties of the run, ascending.

        Returns:
            The alignment; None if there is none with these parties.

        Raises:
            StorageError: the file is damaged, or open to others.
        """
        alignment = self.stored(dataset)
        return alignment if alignment is not None and alignment.parties == parties else None

    def stored(self, dataset: str) -> JoinedAlignment | None:
        """Reads a dataset's alignment, whether or not it is still valid.

        Args:
            dataset: name of the label party's dataset.

        Returns:
            The alignment; None if there is none.

        Raises:
            StorageError: the file is damaged, or open to others.
        """
        path = self._path(dataset)
        return _parse(path, dataset, self._scratch) if path.exists() else None

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the label party's datasets that have an alignment, ascending."""
        return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}")))

    def _path(self, dataset: str) -> Path:
        # No dataset's name has a point: no file of an alignment without joins is called so.
        return self._folder / f"{dataset}{_SUFFIX}"


def _digest(header: bytes, arrays: Sequence[NDArray[np.int32]]) -> bytes:
    digest = hashlib.sha256(hashlib.sha256(header).digest())
    for array in arrays:
        digest.update(len(array).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _parse(path: Path, dataset: str, scratch: Scratch) -> JoinedAlignment | None:
    """The content of a file; None where it is of an earlier format."""
    try:
        stored = read_arrays(path, scratch)
        header, digest = stored["header"].tobytes(), stored["sha256"].tobytes()
        fields = json.loads(header)
        arrays = [stored[f"array{place}"] for place in range(1 + len(fields["maps"]))]
        if digest != _digest(header, arrays):
            raise ValueError("digest")
        if fields["format"] in _EARLIER_FORMATS:
            return None
        if (fields["format"], fields["dataset"]) != (_FORMAT, dataset):
            raise ValueError("format")
        alignment = _alignment(fields, arrays)
    except (ValueError, KeyError, TypeError, EOFError, OSError, NotImplementedError, zipfile.BadZipFile):
        raise _damaged(path, "the stored alignment", "delete it and align again") from None
    return alignment


def _alignment(fields: Mapping[str, Any], arrays: Sequence[NDArray[np.int32]]) -> JoinedAlignment:
    """Makes the alignment of a file's parts; raises ValueError for what no alignment has."""
    rows, *numbers = arrays
    maps = {
        party: RowMap(array.astype(np.int32, copy=False), entities)
        for (party, entities), array in zip(fields["maps"], numbers, strict=True)
    }
    alignment = JoinedAlignment(
        alignment_id=bytes.fromhex(fields["alignment_id"]),
        rows=rows,
        table=fields["table"],
        data_sha256=bytes.fromhex(fields["data_sha256"]),
        terms=fields["terms"],
        parties=tuple(fields["parties"]),
        row_secret=RowSecret(bytes.fromhex(fields["row_secret"]), bool(fields["row_secret_pinned"])),
        maps=maps,
        counts=tuple(JoinCounts(**one) for one in fields["counts"]),
    )
    lengths = (len(alignment.alignment_id), len(alignment.row_secret.secret))
    within = all(
        ABSENT <= int(one.entity_of_row.min(initial=0)) <= int(one.entity_of_row.max(initial=0)) < one.entities
        for one in maps.values()
    )
    if lengths != (ALIGNMENT_ID_BYTES, ROW_SECRET_BYTES) or not within:
        raise ValueError("lengths")
    return alignment


def _damaged(path: Path, name: str, fix: str) -> StorageError:
    what = f"{name} is damaged"
    return StorageError(what, where=path, fix=fix, public_message=f"{what}; {fix}")
