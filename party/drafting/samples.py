"""All columns of a party's files as texts, to be looked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from party.configuration.csv_format import CsvSection
from party.data.files.limits import FileLimits
from party.data.files.parts import Entry, entry_name
from party.data.files.place import DataPlace
from party.data.files.source import open_source
from party.data.reading import NeededColumns, read_columns
from party.data.text_columns import TextColumn, TextColumns
from party.drafting.column import Column
from party.errors import ConfigurationError, DataError

NO_NAME = "has no name"
TWICE = "shares its name with another column"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The files of one dataset.

    Attributes:
        dataset: its name.
        rows: number of rows.
        names: of all columns, in the file's order.
        columns: those that can be read, as they are written.
        unreadable: why others cannot.
    """

    dataset: str
    rows: int
    names: tuple[str, ...]
    columns: TextColumns = field(repr=False)
    unreadable: Mapping[str, str]

    def column(self, name: str) -> Column:
        """One column with the number of rows of each text.

        Args:
            name: of a readable column.
        """
        column: TextColumn = self.columns[name]
        return Column(name, dict(zip(column.texts(), column.counts().tolist(), strict=True)))

    def lacks(self, name: str, option: str) -> ConfigurationError:
        """Makes the error for an option that names a column that is not there.

        Args:
            name: of the column, as the owner typed it.
            option: of the command.

        Returns:
            The error to raise.
        """
        # Of the file's own names none but the same in other letters: a file without a header begins with data.
        meant = next((one for one in self.names if one.lower() == name.lower()), None)
        return ConfigurationError(
            f"names column {name}, which {self.dataset} lacks",
            where=option,
            fix="name a column of the file's first line" if meant is None else f"did you mean {meant}?",
        )


def read_sample(entries: Sequence[Entry], place: DataPlace, form: CsvSection) -> Sample:
    """Reads all columns of a dataset that can be read.

    Args:
        entries: its files, as for `open_source`.
        place: the dataset, for errors.
        form: how CSV files are written.

    Returns:
        The columns.

    Raises:
        DataError: the files cannot be read, or have no rows.
    """
    where = place.where(entry_name(entries))
    with open_source(entries, place, form=form, limits=FileLimits()) as source:
        names = source.names
    bare = [name.strip() for name in names]
    unreadable = {name: NO_NAME for name in names if not name.strip()}
    unreadable |= {name: TWICE for name in names if name.strip() and bare.count(name.strip()) > 1}
    usable = [name.strip() for name in names if name not in unreadable]
    for name in usable if not _can_be_read(usable, entries, place, form) else ():
        if not _can_be_read([name], entries, place, form):
            unreadable[name] = "holds values that are no plain texts, numbers or lists of them"
    usable = [name for name in usable if name not in unreadable]
    if not usable:
        raise DataError("has no column that can be read", where=where)
    needed = NeededColumns(
        needed=dict.fromkeys(usable, "data.features"),
        ids=(),
        keys=(),
        cells=dict.fromkeys(usable, True),
        lists=usable,
        where=where,
    )
    with open_source(entries, place, form=form, limits=FileLimits()) as source:
        read = read_columns(source, needed)
    if not read.rows:
        raise DataError("has no rows", where=where, expected="a header line and at least one row")
    return Sample(dataset=place.dataset, rows=read.rows, names=tuple(bare), columns=read.cells, unreadable=unreadable)


def _can_be_read(columns: Sequence[str], entries: Sequence[Entry], place: DataPlace, form: CsvSection) -> bool:
    """Whether the types of columns are ones that are read; a problem of the file itself shows later."""
    with open_source(entries, place, form=form, limits=FileLimits()) as source:
        try:
            next(source.batches(dict.fromkeys(columns, "data.features"), lists=columns), None)
        except DataError:
            return False
    return True
