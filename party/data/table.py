"""A party's file, read as texts of values: ids, keys and the columns that are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from party.configuration.column_range import ColumnRange, matching_columns
from party.configuration.csv_format import CsvSection
from party.configuration.datetime_feature import DateFormat
from party.configuration.joins import KeyRule
from party.data.files.columns import check_names, no_rows
from party.data.files.limits import FileLimits
from party.data.files.parts import Entry, entry_name
from party.data.files.place import DataPlace
from party.data.files.source import Source, open_source
from party.data.ids import Ids
from party.data.keys import NO_KEY, row_keys
from party.data.negatives import Negatives
from party.data.reading import NeededColumns, ReadColumns, read_columns
from party.data.repeated_texts import repeated_texts
from party.data.store.column_stores import ColumnStores
from party.data.text_columns import TextColumn, TextColumns
from party.errors import DataError

REPEATED_KEY_FIX = "leave one row for each key in the file"
REPEATED_FIX = "where many rows refer to one row of a partner's table, join them by data.joins at the label party"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One dataset or table of a party, every cell as the text of its value, unless its column is private.

    Attributes:
        dataset: name of the dataset or table.
        path: the file that was read; of a file of another machine, or of several, the name that stands for them.
        ids: ids in the file's order, each once but for drawn rows, none empty; of a table its keys, transformed. None
            where the rows have none.
        keys: by peer, the key of each row in the peer's table, transformed, NO_KEY where it refers to nothing.
        columns: the needed columns as canonical texts, or as they are written; rows in the file's order.
        sha256: hexadecimal digest of the very bytes that were parsed; see `Source.sha256`.
        notes: what the owner should know of the files, in sentences.
        chosen: which rows of the file are here, bool (rows of the file,), where some are left out because they have no
            label; None where all are here.
        merged: by column, the number of distinct texts in the file that are written differently but are the same value.
        generation: number of the generation that the cells of private columns were drawn in; None where none is
            private.
        negatives: the rows that were drawn and follow those of the file; None where none are to be drawn.
    """

    dataset: str
    path: Path
    ids: Ids | None = field(repr=False)
    keys: Mapping[str, TextColumn] = field(default_factory=dict, repr=False)
    columns: TextColumns = field(repr=False)
    sha256: str
    notes: tuple[str, ...] = ()
    chosen: NDArray[np.bool_] | None = field(default=None, repr=False)
    merged: Mapping[str, int] = field(default_factory=dict)
    generation: int | None = None
    negatives: Negatives | None = None

    @property
    def rows(self) -> int:
        """Number of rows that are here."""
        return self.columns.count

    @property
    def known_ids(self) -> Ids:
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
        """Hexadecimal digest of the file and of the rows that are here; `sha256` where they are those of the file."""
        drawn = "" if self.negatives is None else self.negatives.sha256
        whole = self.sha256 + self.chosen_sha256 + drawn
        return whole if whole == self.sha256 else hashlib.sha256(bytes.fromhex(whole)).hexdigest()

    def numbers_in_file(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        """The numbers that rows have in the file, from 0; of drawn rows, those of the rows that they were drawn for.

        Args:
            rows: row numbers here.
        """
        rows = rows if self.negatives is None else self.negatives.origin[rows]
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
        rows = np.flatnonzero(chosen).astype(np.int32)
        return replace(
            self,
            ids=None if self.ids is None else self.ids.take(rows),
            keys={peer: keys.take(rows) for peer, keys in self.keys.items()},
            columns=self.columns.take(rows),
            chosen=chosen,
        )

    def followed_by(self, other: Table) -> Table:
        """The table with the rows of another one after its own.

        Args:
            other: a table with the same columns.
        """
        columns = self.columns.followed_by(other.columns)
        return replace(self, ids=self.known_ids.followed_by(other.known_ids), columns=columns)

    def aligned(self, rows: NDArray[np.integer[Any]]) -> TextColumns:
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
        limits: the largest dataset that the owner allows.
        csv: how CSV files are written.
        column_keys: the key of the configuration that names a column, for those that no feature reads.
        as_written: columns whose texts stay as they are written.
        lists: columns that may hold lists.
        commas: columns whose texts have a decimal comma.
        formats: how the texts of columns of dates are written.
        ranges: what patterns of columns stood for when the party started.
        other_columns: columns that no pattern stands for.
    """

    id_rule: KeyRule | None
    key_rules: Mapping[str, KeyRule] = field(default_factory=dict)
    are_tables: bool = False
    limits: FileLimits = field(default_factory=FileLimits)
    csv: CsvSection = field(default_factory=CsvSection)
    column_keys: Mapping[str, str] = field(default_factory=dict)
    as_written: Collection[str] = ()
    lists: Collection[str] = ()
    commas: Collection[str] = ()
    formats: Mapping[str, DateFormat] = field(default_factory=dict)
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


def read_table(
    party: str,
    dataset: str,
    path: Path | Sequence[Entry],
    *,
    columns: Collection[str],
    rules: FileRules,
    stores: ColumnStores | None = None,
) -> Table:
    """Reads the needed columns of a dataset's files: cells as the text of their value, keys as the rules say.

    Args:
        party: name of this party, for errors.
        dataset: name of the dataset or table.
        path: the file, a folder of files or a pattern of their names; or several of these, and addresses.
        columns: columns of features and label.
        rules: how files, ids and keys are read, and the largest dataset that the owner allows.
        stores: keeps the columns of large files on disk; None reads them into memory.

    Returns:
        The table. An empty cell is the empty text; ids and keys are neither stripped nor normalised but as the rules
        say.

    Raises:
        DataError: a file cannot be read or parsed, is too large, lacks a column, has a needed one twice, has no rows,
            or has empty or repeated ids.
    """
    entries = (path,) if isinstance(path, Path) else tuple(path)
    place = DataPlace(party, dataset, rules.kind)
    where = place.where(entry_name(entries))

    @contextmanager
    def opened() -> Iterator[Source]:
        with open_source(entries, place, form=rules.csv, limits=rules.limits) as source:
            _check_ranges(source.names, where, rules)
            yield source

    needed = _needed(columns, rules, where)
    if stores is None:
        with opened() as source:
            read = read_columns(source, needed)
    else:
        read = stores.read(opened, needed)
        rules.limits.check_rows(read.rows, where)  # columns may have been stored when the owner allowed more
    if not read.rows:
        raise no_rows("has no rows", where)
    return Table(
        dataset=dataset,
        path=path if isinstance(path, Path) else Path(entry_name(entries)),
        ids=None if rules.id_rule is None else _read_ids(read, rules.id_rule, where, rules),
        keys={peer: row_keys(read.keys, rule, where) for peer, rule in rules.key_rules.items()},
        columns=read.cells,
        merged=read.merged,
        sha256=read.sha256,
        notes=read.notes,
    )


def _needed(columns: Collection[str], rules: FileRules, where: str) -> NeededColumns:
    keys = rules.columns_of_keys()
    others = {name: rules.column_keys.get(name, "data.features") for name in columns if name not in keys}
    joined = {name for rule in rules.key_rules.values() for name in rule.columns}
    made = rules.id_rule is None or len(rules.id_rule.columns) > 1 or rules.id_rule.transforms
    ids = () if made or rules.id_rule is None else rules.id_rule.columns
    return NeededColumns(
        needed={**keys, **others},
        ids=tuple(name for name in ids if name not in joined),
        keys=tuple(keys),
        cells={name: name in rules.as_written for name in dict.fromkeys(columns)},
        lists=rules.lists,
        commas=rules.commas,
        formats=rules.formats,
        where=where,
    )


def read_names(party: str, dataset: str, path: Path | Sequence[Entry], *, rules: FileRules) -> tuple[str, ...]:
    """Reads the names of all columns of a dataset's first file.

    Args:
        party: name of this party, for errors.
        dataset: name of the dataset or table.
        path: its files, as for `read_table`.
        rules: how files, ids and keys are read, and the largest dataset that the owner allows.

    Raises:
        DataError: the file cannot be read, or its first line lacks a column that the configuration names.
    """
    entries = (path,) if isinstance(path, Path) else tuple(path)
    place = DataPlace(party, dataset, rules.kind)
    with open_source(entries, place, form=rules.csv, limits=rules.limits) as source:
        names = tuple(source.names)
    # A first line without them may be a row of data, whose cells a pattern must not make names of features.
    missing = {name: key for name, key in rules.columns_of_keys().items() if name not in names}
    if missing:
        check_names(names, missing, place.where(entry_name(entries)))
    return names


def _check_ranges(names: Sequence[str], where: str, rules: FileRules) -> None:
    """Refuses a file in which patterns stand for other columns than when the party started."""
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


def _read_ids(read: ReadColumns, rule: KeyRule, where: str, rules: FileRules) -> Ids:
    """The ids of a dataset, or the keys of a table."""
    place = f"{where}: column{'s' if len(rule.columns) > 1 else ''} {', '.join(rule.columns)}"
    if len(rule.columns) == 1 and not rule.transforms:
        texts = read.ids.get(rule.columns[0])
        texts = read.keys[rule.columns[0]].in_rows() if texts is None else texts
    else:
        texts = row_keys(read.keys, rule, where).in_rows()
    changed = f" after {', '.join(rule.transforms)}" if rule.transforms and not rule.transformed else ""
    _check_unique(texts, place, changed, rules)
    return Ids(", ".join(rule.columns), texts)


def _check_unique(texts: pa.Array | pa.ChunkedArray, where: str, changed: str, rules: FileRules) -> None:
    one, several = ("a key", "keys") if rules.are_tables else ("an id", "ids")
    empty = compute.sum(compute.equal(texts, NO_KEY)).as_py() or 0
    if empty:
        raise DataError(
            f"empty {several}{changed}",
            where=where,
            expected=f"{one} in every row",
            received=f"{empty} rows without one",
            fix="fill them, or leave these rows out of the file",
            public_message=f"empty {several}; received {empty} rows without one",
        )
    repeated = repeated_texts(texts)
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
