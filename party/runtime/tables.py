"""Reads a party's datasets or tables, once and again when their files change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import numpy as np

from party.configuration.datetime_feature import column_formats
from party.configuration.labels import group_columns
from party.configuration.numeric_feature import columns_with_comma
from party.configuration.party import PartyConfiguration
from party.data.drawn_rows import with_negatives
from party.data.files.limits import FileLimits
from party.data.files.place import DataPlace
from party.data.files.source import stamps
from party.data.files.storage import Stamp
from party.data.groups import row_groups
from party.data.known_labels import without_unlabelled_rows
from party.data.label_remarks import label_remarks
from party.data.labels import read_labels
from party.data.store.column_stores import ColumnStores
from party.data.summary import encoding_problems
from party.data.table import FileRules, Table, read_table
from party.errors import ConfigurationError, DataError, ErrorFields, SplitError, one_line
from party.runtime.drawn_columns import DrawKeys, DrawnColumns

Stamps = tuple[Stamp, ...]

logger = logging.getLogger(__name__)


class Drawn(NamedTuple):
    """What was drawn of private columns.

    Attributes:
        stamps: of all files at that time, by dataset.
        tables: with drawn cells, by dataset.
        unreadable: the errors of files that could not be read, by dataset.
    """

    stamps: dict[str, Stamps]
    tables: dict[str, Table]
    unreadable: dict[str, DataError]


class Tables:
    """Reads and caches the datasets, or tables, of a configuration; of private columns nobody gets the true cells.

    Args:
        configuration: the party's configuration.
        draw_keys: makes the keys of the draws of private columns; called if there are any.
        stores: keeps the columns of large files on disk; None reads them into memory.
        negatives_secret: returns the secret that negatives are drawn with; called if there are any.
    """

    def __init__(
        self,
        configuration: PartyConfiguration,
        draw_keys: Callable[[], DrawKeys],
        stores: ColumnStores | None = None,
        *,
        negatives_secret: Callable[[], bytes] | None = None,
    ) -> None:
        if configuration.data.has_open_ranges:
            raise RuntimeError("read the configuration by load_with_columns")
        self._configuration = configuration
        self._stores = stores
        self._secret: bytes | None = None
        if configuration.data.negatives is not None and negatives_secret is not None:
            self._secret = negatives_secret()
        self._tables: dict[str, tuple[Stamps, Table]] = {}
        section = configuration.privacy.columns
        self._columns = None if section is None else DrawnColumns(configuration, section, draw_keys())
        self._drawn = Drawn({}, {}, {})
        self._unusable: dict[str, tuple[Stamps, SplitError]] = {}
        self._drawing = threading.Lock()  # two sessions that are being opened must not begin two generations

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the configured datasets, or tables, ascending."""
        return tuple(sorted(self._configuration.data.files))

    @property
    def usable_names(self) -> tuple[str, ...]:
        """Names of those that were not found to be unusable, ascending."""
        return tuple(name for name in self.names if name not in self._unusable)

    def read_all(self) -> None:
        """Reads and encodes every file once, so that a mistake in any cell is found at start.

        One that cannot be used is logged, and refused wherever a session needs it; the others are served.

        Raises:
            ConfigurationError: a label's rule does not fit its column, and no dataset can be used.
            DataError: a file, a column, the ids or a cell cannot be used, and no dataset can be used.
        """
        problems = {dataset: self._examine(dataset) for dataset in self.names}
        if not self.usable_names:
            raise problems[self.names[0]][0]
        for dataset in self.names:
            for problem in problems[dataset]:
                logger.error("%s %s cannot be used and is not served: %s", self._kind, dataset, problem)

    def problems(self, dataset: str, *, warn: Callable[[str], None] = lambda remark: None) -> list[SplitError]:
        """Finds everything that keeps a dataset or table from being used.

        Args:
            dataset: its name.
            warn: called with sentences on columns that can be read, and probably not as meant.

        Returns:
            The errors; empty if it can be used.
        """
        party, data = self._configuration.party, self._configuration.data
        try:
            table = self._present(dataset)
        except (DataError, ConfigurationError) as error:
            return [error]
        found = encoding_problems(party, data, table, warn=warn)
        checks: list[Callable[[], object]] = [lambda: self.check_groups(table)]
        if data.labels and dataset not in data.unlabelled:
            weighted = self._configuration.trains_on(dataset)
            checks.append(lambda: read_labels(party, data, table.columns, table.path.name, weighted=weighted))
        for check in checks:
            try:
                check()
            except (DataError, ConfigurationError) as error:
                found.append(error)
        if data.labels and dataset not in data.unlabelled:
            for remark in label_remarks(data.labels, table.columns):
                warn(remark)
        return found

    def row_counts(self, names: Collection[str]) -> dict[str, int]:
        """The rows of those datasets or tables that can be used at present.

        Args:
            names: those that are asked for.

        Returns:
            Number of rows by name.
        """
        counts = {}
        for name in self.names:
            if name in names:
                with suppress(DataError, ConfigurationError):
                    counts[name] = self.table(name).rows
        return counts

    def _examine(self, dataset: str) -> list[SplitError]:
        """Finds the problems of a dataset, and notes whether it can be used."""
        stamp, problems = self._stamp(dataset), self.problems(dataset, warn=partial(_log_remark, dataset))
        self._unusable.pop(dataset, None)
        if problems:
            self._unusable[dataset] = (stamp, self._refusal(dataset, problems[0]))
        return problems

    def _refusal(self, dataset: str, error: SplitError) -> SplitError:
        """The error for sessions: a coordinator learns why a dataset is unusable only where that is public."""
        if not isinstance(error, DataError) or error.public_message == DataError.summary:
            what = f"{self._kind} {dataset} cannot be used; the party's own log says why"
            error.public_fields = ErrorFields(what=what)
        return error

    @property
    def _kind(self) -> str:
        return "table" if self._configuration.data.tables else "dataset"

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
            ConfigurationError: a label's rule does not fit its column.
        """
        if dataset not in self._configuration.data.files:
            raise self._not_configured(dataset)
        refused = self._unusable.get(dataset)
        if refused is not None and (refused[0] == self._stamp(dataset) or self._examine(dataset)):
            raise self._unusable[dataset][1].with_traceback(None)
        return self._present(dataset)

    def _present(self, dataset: str) -> Table:
        """The content of a file as it is, whether or not its cells can be used."""
        if self._columns is not None:
            return self._drawn_table(self._columns, dataset)  # at a feature party, which has no negatives
        stamp = self._stamp(dataset)
        known = self._tables.get(dataset)
        if known is not None and known[0] == stamp:
            return known[1]
        table = self._with_negatives(self._read(dataset))
        self._tables[dataset] = (stamp, table)
        return table

    def _drawn_table(self, columns: DrawnColumns, dataset: str) -> Table:
        """All tables that can be read are drawn together: an entity has one answer in all of them."""
        with self._drawing:
            stamps = {name: self._stamp(name) for name in self.names}
            if self._drawn.stamps != stamps:
                self._drawn = self._draw(columns, stamps)
            if dataset in self._drawn.unreadable:
                raise self._drawn.unreadable[dataset].with_traceback(None)
            return self._drawn.tables[dataset]

    def _draw(self, columns: DrawnColumns, stamps: dict[str, Stamps]) -> Drawn:
        read, unreadable = {}, {}
        for name in self.names:
            try:
                read[name] = self._read(name)
            except DataError as error:
                unreadable[name] = error
        return Drawn(stamps, columns.draw(read) if read else {}, unreadable)

    def _with_negatives(self, table: Table) -> Table:
        section = self._configuration.negatives(table.dataset)
        if section is None:
            return table
        if self._secret is None:
            raise RuntimeError("tables with negatives need a secret to draw them with")
        party, data = self._configuration.party, self._configuration.data
        return with_negatives(party, data, section, table=table, secret=self._secret)

    def _not_configured(self, name: str) -> DataError:
        kind = self._kind
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
            configuration.files(dataset),
            columns=configuration.columns(dataset),
            rules=file_rules(configuration),
            stores=self._stores,
        )
        if not configuration.trains_on(dataset) or not data.labels or dataset in data.unlabelled:
            return table
        return without_unlabelled_rows(configuration.party, data, table)

    def _stamp(self, dataset: str) -> Stamps:
        configuration = self._configuration
        return stamps(configuration.files(dataset), DataPlace(configuration.party, dataset))


def _log_remark(dataset: str, remark: str) -> None:
    logger.warning("%s: %s", dataset, one_line(remark))


def file_rules(configuration: PartyConfiguration) -> FileRules:
    """How the files of a party are read.

    Args:
        configuration: the party's configuration.
    """
    data = configuration.data
    return FileRules(
        id_rule=data.id_rule,
        key_rules=data.key_rules,
        are_tables=bool(data.tables),
        limits=FileLimits(data.maximum_rows, data.maximum_bytes),
        csv=data.csv,
        as_written=data.columns_as_written,
        lists=configuration.list_columns,
        commas=columns_with_comma(data.features),
        formats=column_formats(data.features),
        column_keys={
            **_keys_of_columns(configuration),
            **dict.fromkeys(group_columns(data.labels), "data.labels"),
            **{label.source: "data.labels" for label in data.labels.values()},
            **({} if data.sample_weight is None else {data.sample_weight: "data.sample_weight"}),
        },
        ranges=data.ranges,
        other_columns=data.other_columns,
    )


def _keys_of_columns(configuration: PartyConfiguration) -> dict[str, str]:
    """The key that names a column, for those that no feature reads."""
    privacy = configuration.privacy
    keys = dict.fromkeys(configuration.meters.columns, "meters.columns")
    negatives = configuration.data.negatives
    keys |= {} if negatives is None else dict.fromkeys(negatives.read, "data.negatives")
    if privacy.decorrelate is not None:
        keys |= dict.fromkeys(privacy.decorrelate.columns, "privacy.decorrelate.columns")
    if privacy.columns is not None:
        keys |= dict.fromkeys(privacy.columns.columns, "privacy.columns.columns")
        keys |= {} if privacy.columns.entity is None else {privacy.columns.entity: "privacy.columns.entity"}
    return {name: key for name, key in keys.items() if name not in configuration.data.feature_columns}
