"""A party's file, read as text: ids, keys and the columns that are needed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from party.configuration.column_range import ColumnRange, matching_columns
from party.configuration.joins import KeyRule
from party.data.columns import check_names, no_rows
from party.data.csv_file import read_csv, read_csv_names
from party.data.keys import NO_KEY, Texts, row_keys
from party.data.limits import FileLimits
from party.data.parquet_file import read_parquet, read_parquet_names
from party.data.text_columns import TextColumns
from party.errors import DataError

PARQUET_SUFFIX = ".parquet"
REPEATED_KEY_FIX = "leave one row for each key in the file"
REPEATED_FIX = "where many rows refer to one row of a partner's table, join them by data.joins at the label party"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One dataset or table of a party, every cell as the text that the file holds, unless its column is private.

    Attributes:
        dataset: name of the dataset or table.
        path: the file that was read.
        ids: ids in the file's order, each once, none empty; of a table its keys, transformed. None where the rows
            have none.
        keys: by peer, the key of each row in the peer's table, transformed, NO_KEY where it refers to nothing; shape
            (rows,) of text.
        columns: the needed columns, rows in the file's order.
        sha256: hexadecimal digest of the very bytes that were parsed.
        chosen: which rows of the file are here, bool (rows of the file,), where some are left out because they have no
            label; None where all are here.
        generation: number of the generation that the cells of private columns were drawn in; None where none is
            private.
    """

    dataset: str
    path: Path
    ids: pd.Index[str] | None = field(repr=False)
    keys: Mapping[str, Texts] = field(default_factory=dict, repr=False)
    columns: TextColumns = field(repr=False)
    sha256: str
    chosen: NDArray[np.bool_] | None = field(default=None, repr=False)
    generation: int | None = None

    @property
    def rows(self) -> int:
        """Number of rows that are here."""
        return self.columns.count

    @property
    def known_ids(self) -> pd.Index[str]:
        """The ids, where the rows must have them.

        Raises:
            DataError: the rows have none.
        """
        if self.ids is None:
            raise DataError("rows have no ids", where=self.path.name, fix="name their column in data.id")
        return self.ids

    @property
    def left_out(self) -> int:
        """Number of rows of the file that are left out here."""
        return 0 if self.chosen is None else int(np.count_nonzero(~self.chosen))

    @property
    def chosen_sha256(self) -> str:
        """Hexadecimal digest of which rows are here; empty where none is left out."""
        return "" if self.chosen is None else hashlib.sha256(np.packbits(self.chosen).tobytes()).hexdigest()

    @property
    def rows_sha256(self) -> str:
        """Hexadecimal digest of the file and of the rows that are here; equal to `sha256` where none is left out."""
        if self.chosen is None:
            return self.sha256
        return hashlib.sha256(bytes.fromhex(self.sha256 + self.chosen_sha256)).hexdigest()

    def numbers_in_file(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers that rows have in the file, from 0.

        Args:
            rows: row numbers here.
        """
        return rows if self.chosen is None else np.flatnonzero(self.chosen)[rows]

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
            ids=None if self.ids is None else self.ids[chosen],
            keys={peer: keys[chosen] for peer, keys in self.keys.items()},
            columns=self.columns.take(np.flatnonzero(chosen)),
            chosen=chosen,
        )

    def followed_by(self, other: Table) -> Table:
        """The table with the rows of another one after its own.

        Args:
            other: a table with the same columns.
        """
        columns = self.columns.followed_by(other.columns)
        return replace(self, ids=self.known_ids.append(other.known_ids), columns=columns)

    def aligned(self, rows: NDArray[np.int64]) -> TextColumns:
        """The columns with rows chosen and ordered.

        Args:
            rows: row numbers of the file, shape (aligned rows,), each from 0 to `rows` - 1.

        Returns:
            The rows in the given order, numbered anew from 0.
        """
        return self.columns.take(rows)


@dataclass(frozen=True, kw_only=True)
class FileRules:
    """What is read of a party's files, and how.

    Attributes:
        id_rule: how the id of a row is made; None where rows have none.
        key_rules: how the keys of a row are made, by the peer whose table they refer to.
        are_tables: whether the files are tables with one row for each key.
        limits: the largest file that the owner allows.
        column_keys: the key of the configuration that names a column, for those that no feature reads.
        ranges: what patterns of columns stood for when the party started.
        other_columns: columns that no pattern stands for.
    """

    id_rule: KeyRule | None
    key_rules: Mapping[str, KeyRule] = field(default_factory=dict)
    are_tables: bool = False
    limits: FileLimits = field(default_factory=FileLimits)
    column_keys: Mapping[str, str] = field(default_factory=dict)
    ranges: Sequence[ColumnRange] = ()
    other_columns: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """What a file holds, in words."""
        return "table" if self.are_tables else "dataset"

    def columns_of_keys(self) -> dict[str, str]:
        """The columns of ids and keys, each with the key of the configuration that names it."""
        ids = () if self.id_rule is None else self.id_rule.columns
        joined = [column for rule in self.key_rules.values() for column in rule.columns]
        return {**dict.fromkeys(ids, "data.id"), **{name: "data.joins" for name in joined if name not in ids}}


def read_table(party: str, dataset: str, path: Path, *, columns: Collection[str], rules: FileRules) -> Table:
    """Reads the needed columns of a file, without interpreting any cell but those of keys.

    Args:
        party: name of this party, for errors.
        dataset: name of the dataset or table.
        path: the file: Parquet where its name ends in .parquet, else CSV with a header line.
        columns: columns of features and label.
        rules: how ids and keys are read, and the largest file that the owner allows.

    Returns:
        The table. An empty cell is the empty text; ids and keys are neither stripped nor normalised but as the rules
        say.

    Raises:
        DataError: the file cannot be read or parsed, is too large, lacks a column, has a column twice, has no rows,
            or has empty or repeated ids.
    """
    where = _where(party, dataset, path, rules)
    content = _read_bytes(path, where, dataset, rules)
    _check_ranges(content, path, where, rules)
    keys = rules.columns_of_keys()
    needed = {**keys, **{name: rules.column_keys.get(name, "data.features") for name in columns if name not in keys}}
    read = read_parquet if path.suffix == PARQUET_SUFFIX else read_csv
    frame = read(content, needed, where, rules.limits)
    if frame.empty:
        raise no_rows("has no rows", where)
    return Table(
        dataset=dataset,
        path=path,
        ids=None if rules.id_rule is None else _read_ids(frame, rules.id_rule, where, rules),
        keys={peer: row_keys(frame, rule, where) for peer, rule in rules.key_rules.items()},
        columns=TextColumns.of_frame(frame[list(dict.fromkeys(columns))]),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def read_names(party: str, dataset: str, path: Path, *, rules: FileRules) -> list[str]:
    """Reads the names of all columns of a file.

    Args:
        party: name of this party, for errors.
        dataset: name of the dataset or table.
        path: the file.
        rules: how ids and keys are read, and the largest file that the owner allows.

    Raises:
        DataError: the file cannot be read, or its first line lacks a column that the configuration names.
    """
    where = _where(party, dataset, path, rules)
    names = _names(_read_bytes(path, where, dataset, rules), path, where)
    # A first line without them may be a row of data, whose cells a pattern must not make names of features.
    missing = {name: key for name, key in rules.columns_of_keys().items() if name not in names}
    if missing:
        check_names(names, missing, where)
    return names


def _names(content: bytes, path: Path, where: str) -> list[str]:
    read = read_parquet_names if path.suffix == PARQUET_SUFFIX else read_csv_names
    return read(content, where)


def _where(party: str, dataset: str, path: Path, rules: FileRules) -> str:
    return f"{party}: table {dataset}: {path.name}" if rules.are_tables else f"{party}: {path.name}"


def _check_ranges(content: bytes, path: Path, where: str, rules: FileRules) -> None:
    """Refuses a file in which patterns stand for other columns than when the party started."""
    names = _names(content, path, where) if rules.ranges else []
    for one in rules.ranges:
        present, known = set(matching_columns(one.patterns, names, rules.other_columns)), set(one.columns)
        if present != known:
            raise DataError(
                f"columns {', '.join(one.patterns)} of data.features stand for other columns than at the start",
                where=where,
                expected=f"the {len(known)} columns of the start",
                received=f"{len(present & known)} of them, and {len(present - known)} others",
                fix="restore the file, or restart `party serve` and train anew",
                public_message="a file of its data has other columns than at the start",
            )


def _read_bytes(path: Path, where: str, dataset: str, rules: FileRules) -> bytes:
    fix = f"check data.{rules.kind}s.{dataset}"
    public_message = f"the file of {rules.kind} {dataset} cannot be read"
    try:
        # O_NONBLOCK: if a named pipe is in the file's place, opening it would wait for a writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DataError(
                    "is no file", where=where, expected="a CSV or Parquet file", fix=fix, public_message=public_message
                )
            rules.limits.check_bytes(status.st_size, where)
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


def _read_ids(frame: pd.DataFrame, rule: KeyRule, where: str, rules: FileRules) -> pd.Index[str]:
    """The ids of a dataset, or the keys of a table."""
    place = f"{where}: column{'s' if len(rule.columns) > 1 else ''} {', '.join(rule.columns)}"
    if len(rule.columns) == 1 and not rule.transforms:
        ids = frame[rule.columns[0]]
    else:
        ids = pd.Series(row_keys(frame, rule, where), name=", ".join(rule.columns), dtype="str")
    changed = f" after {', '.join(rule.transforms)}" if rule.transforms and not rule.transformed else ""
    _check_unique(ids, place, changed, rules)
    index: pd.Index[str] = pd.Index(ids)
    return index


def _check_unique(ids: pd.Series[str], where: str, changed: str, rules: FileRules) -> None:
    one, several = ("a key", "keys") if rules.are_tables else ("an id", "ids")
    empty = int((ids == NO_KEY).sum())
    if empty:
        raise DataError(
            f"empty {several}{changed}",
            where=where,
            expected=f"{one} in every row",
            received=f"{empty} rows without one",
            fix="fill them, or leave these rows out of the file",
            public_message=f"empty {several}; received {empty} rows without one",
        )
    repeated = int(ids[ids.duplicated()].nunique())
    if repeated:
        received = f"{repeated} {several} that appear more than once"
        raise DataError(
            f"{several} are not unique{changed}",
            where=where,
            expected=f"each {several[:-1]} in one row",
            received=received,
            fix=REPEATED_KEY_FIX if rules.are_tables else REPEATED_FIX,
            public_message=f"{several} are not unique; received {received}",
        )
