"""Reads a party's datasets or tables, once and again when their files change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from party.configuration.features import DataSection
from party.configuration.labels import group_columns
from party.configuration.party import PartyConfiguration
from party.data.groups import row_groups
from party.data.known_labels import without_unlabelled_rows
from party.data.labels import read_labels
from party.data.limits import FileLimits
from party.data.summary import summarise
from party.data.table import FileRules, Table, read_table
from party.errors import DataError, one_line
from party.runtime.drawn_columns import DrawKeys, DrawnColumns

Stamp = tuple[int, int]

logger = logging.getLogger(__name__)


class Tables:
    """Reads and caches the datasets, or tables, of a configuration; of private columns nobody gets the true cells.

    Args:
        configuration: the party's configuration.
        draw_keys: makes the keys of the draws of private columns; called if there are any.
    """

    def __init__(self, configuration: PartyConfiguration, draw_keys: Callable[[], DrawKeys]) -> None:
        if configuration.data.has_open_ranges:
            raise RuntimeError("read the configuration by load_with_columns")
        self._configuration = configuration
        self._tables: dict[str, tuple[Stamp, Table]] = {}
        section = configuration.privacy.columns
        self._columns = None if section is None else DrawnColumns(configuration, section, draw_keys())
        self._drawn: tuple[dict[str, Stamp], dict[str, Table]] = ({}, {})
        self._drawing = threading.Lock()  # two sessions that are being opened must not begin two generations

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the configured datasets, or tables, ascending."""
        return tuple(sorted(self._configuration.data.files))

    def read_all(self) -> None:
        """Reads and encodes every file once, so that a mistake in any cell is found at start.

        Raises:
            ConfigurationError: a label's rule does not fit its column.
            DataError: a file, a column, the ids or a cell cannot be used.
        """
        party, data = self._configuration.party, self._configuration.data
        for dataset in self.names:
            table = self.table(dataset)
            for remark in summarise(party, data, table).remarks:
                logger.warning("%s: %s", dataset, one_line(remark))
            self.check_groups(table)
            if data.labels and dataset not in data.unlabelled:
                weighted = self._configuration.trains_on(dataset)
                read_labels(party, data, table.columns, table.path.name, weighted=weighted)

    def check_groups(self, table: Table) -> None:
        """Puts the rows of a table into groups once, if training needs them for a penalty.

        Args:
            table: one dataset.

        Raises:
            DataError: a column has too many texts.
        """
        section = self._configuration.privacy.decorrelate
        if section is not None:
            where = f"{self._configuration.party}: {table.path.name}"
            row_groups(table.columns, section.columns, np.arange(table.rows), where)

    def table(self, dataset: str) -> Table:
        """The content of a dataset or table, read again if its file has changed.

        Args:
            dataset: name of the dataset or table.

        Returns:
            The content.

        Raises:
            DataError: it is not configured, or its file cannot be used.
        """
        if dataset not in self._configuration.data.files:
            raise self._not_configured(dataset)
        if self._columns is not None:
            return self._drawn_table(self._columns, dataset)
        stamp = self._stamp(dataset)
        known = self._tables.get(dataset)
        if known is not None and known[0] == stamp:
            return known[1]
        table = self._read(dataset)
        self._tables[dataset] = (stamp, table)
        return table

    def _drawn_table(self, columns: DrawnColumns, dataset: str) -> Table:
        """All tables are drawn together: an entity has one answer in all of them."""
        with self._drawing:
            stamps = {name: self._stamp(name) for name in self.names}
            if self._drawn[0] != stamps:
                self._drawn = (stamps, columns.draw({name: self._read(name) for name in self.names}))
            return self._drawn[1][dataset]

    def _not_configured(self, name: str) -> DataError:
        kind = "table" if self._configuration.data.tables else "dataset"
        what = f"{kind} {name[:64]} is not configured"
        source = "the label party's data.joins" if self._configuration.data.tables else "the run configuration"
        return DataError(
            what,
            where=self._configuration.party,
            expected=", ".join(self.names),
            fix=f"add it to data.{kind}s or correct {source}",
            public_message=what,
        )

    def _read(self, dataset: str) -> Table:
        configuration, data = self._configuration, self._configuration.data
        table = read_table(
            configuration.party,
            dataset,
            configuration.path(data.files[dataset]),
            columns=configuration.columns(dataset),
            rules=file_rules(data),
        )
        if not configuration.trains_on(dataset) or not data.labels or dataset in data.unlabelled:
            return table
        return without_unlabelled_rows(configuration.party, data, table)

    def _stamp(self, dataset: str) -> Stamp:
        return _stamp(self._configuration.path(self._configuration.data.files[dataset]))


def file_rules(data: DataSection) -> FileRules:
    """How the files of a party are read.

    Args:
        data: the party's data section.
    """
    return FileRules(
        id_rule=data.id_rule,
        key_rules=data.key_rules,
        are_tables=bool(data.tables),
        limits=FileLimits(data.maximum_rows, data.maximum_bytes),
        column_keys={
            **dict.fromkeys(group_columns(data.labels), "data.labels"),
            **{label.source: "data.labels" for label in data.labels.values()},
            **({} if data.sample_weight is None else {data.sample_weight: "data.sample_weight"}),
        },
        ranges=data.ranges,
        other_columns=data.other_columns,
    )


def _stamp(path: Path) -> Stamp:
    """A stamp that changes when the file does; a missing file is reported by the reader."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
