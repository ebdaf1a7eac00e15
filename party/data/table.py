"""A party's file, read as text: sample ids and the columns that are needed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from party.data.columns import no_rows
from party.data.csv_file import read_csv
from party.data.limits import FileLimits
from party.data.parquet_file import read_parquet
from party.errors import DataError

PARQUET_SUFFIX = ".parquet"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One dataset of a party, every cell as the text that the file holds, unless its column is private.

    Attributes:
        dataset: name of the dataset.
        path: the file that was read.
        ids: sample ids in the file's order, each once, none empty.
        columns: the needed columns, text, rows in the file's order.
        sha256: hexadecimal digest of the very bytes that were parsed.
        left_out: number of rows of the file that are left out here, because they have no label.
        chosen_sha256: hexadecimal digest of which rows are here; empty where none is left out.
        generation: number of the generation that the cells of private columns were drawn in; None where none is
            private.
    """

    dataset: str
    path: Path
    ids: pd.Index[str] = field(repr=False)
    columns: pd.DataFrame = field(repr=False)
    sha256: str
    left_out: int = 0
    chosen_sha256: str = ""
    generation: int | None = None

    @property
    def rows(self) -> int:
        """Number of rows in the file."""
        return len(self.ids)

    @property
    def rows_sha256(self) -> str:
        """Hexadecimal digest of the file and of the rows that are here; equal to `sha256` where none is left out."""
        if not self.chosen_sha256:
            return self.sha256
        return hashlib.sha256(bytes.fromhex(self.sha256 + self.chosen_sha256)).hexdigest()

    def with_rows(self, chosen: NDArray[np.bool_]) -> Table:
        """The table with some of its rows.

        Args:
            chosen: which rows to keep, bool (rows,).

        Returns:
            The table itself if that is all of them.
        """
        if chosen.all():
            return self
        return replace(
            self,
            ids=self.ids[chosen],
            columns=self.columns[chosen].reset_index(drop=True),
            left_out=int(np.count_nonzero(~chosen)),
            chosen_sha256=hashlib.sha256(np.packbits(chosen).tobytes()).hexdigest(),
        )

    def followed_by(self, other: Table) -> Table:
        """The table with the rows of another one after its own.

        Args:
            other: a table with the same columns.
        """
        columns = pd.concat([self.columns, other.columns], ignore_index=True)
        return replace(self, ids=self.ids.append(other.ids), columns=columns)

    def aligned(self, rows: NDArray[np.int64]) -> pd.DataFrame:
        """The columns with rows chosen and ordered.

        Args:
            rows: row numbers of the file, shape (aligned rows,), each from 0 to `rows` - 1.

        Returns:
            The rows in the given order, numbered anew from 0.
        """
        return self.columns.iloc[rows].reset_index(drop=True)


def read_table(
    party: str, dataset: str, path: Path, *, id_column: str, columns: Collection[str], limits: FileLimits
) -> Table:
    """Reads the needed columns of a file, without interpreting any cell.

    Args:
        party: name of this party, for errors.
        dataset: name of the dataset.
        path: the file: Parquet where its name ends in .parquet, else CSV with a header line.
        id_column: column with the sample ids.
        columns: columns of features and label.
        limits: the largest file that the owner allows.

    Returns:
        The table. An empty cell is the empty text; ids are neither stripped nor normalised.

    Raises:
        DataError: the file cannot be read or parsed, is too large, lacks a column, has a column twice, has no rows,
            or has empty or repeated ids.
    """
    where = f"{party}: {path.name}"
    content = _read_bytes(path, where, dataset, limits)
    needed = list(dict.fromkeys([id_column, *columns]))
    read = read_parquet if path.suffix == PARQUET_SUFFIX else read_csv
    frame = read(content, needed, where, limits)
    if frame.empty:
        raise no_rows("has no rows", where)
    _check_ids(frame[id_column], f"{where}: column {id_column}")
    return Table(
        dataset=dataset,
        path=path,
        ids=pd.Index(frame[id_column]),
        columns=frame[list(dict.fromkeys(columns))],
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _read_bytes(path: Path, where: str, dataset: str, limits: FileLimits) -> bytes:
    fix, public_message = f"check data.datasets.{dataset}", f"the file of dataset {dataset} cannot be read"
    try:
        # O_NONBLOCK: if a named pipe is in the file's place, opening it would wait for a writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DataError(
                    "is no file", where=where, expected="a CSV or Parquet file", fix=fix, public_message=public_message
                )
            limits.check_bytes(status.st_size, where)
            return file.read()
    except FileNotFoundError:
        raise DataError("file not found", where=where, fix=fix, public_message=public_message) from None
    except IsADirectoryError:
        raise DataError(
            "is a folder", where=where, expected="a CSV or Parquet file", fix=fix, public_message=public_message
        ) from None
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.__class__.__name__})", where=where, fix=fix, public_message=public_message
        ) from error


def _check_ids(ids: pd.Series[str], where: str) -> None:
    empty = int((ids == "").sum())
    if empty:
        raise DataError(
            "empty ids",
            where=where,
            expected="an id in every row",
            received=f"{empty} rows without one",
            public_message=f"empty ids; received {empty} rows without one",
        )
    repeated = int(ids[ids.duplicated()].nunique())
    if repeated:
        received = f"{repeated} ids that appear more than once"
        raise DataError(
            "ids are not unique",
            where=where,
            expected="each id in one row",
            received=received,
            public_message=f"ids are not unique; received {received}",
        )
