"""Reads a party's datasets, once and again when their files change."""

from __future__ import annotations

from pathlib import Path

from party.configuration.party import PartyConfiguration
from party.data.labels import read_labels
from party.data.limits import FileLimits
from party.data.summary import summarise
from party.data.table import Table, read_table
from party.errors import DataError


class Tables:
    """Reads and caches the datasets of a configuration.

    Args:
        configuration: the party's configuration.
    """

    def __init__(self, configuration: PartyConfiguration) -> None:
        self._configuration = configuration
        self._tables: dict[str, tuple[tuple[int, int], Table]] = {}

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the configured datasets, ascending."""
        return tuple(sorted(self._configuration.data.datasets))

    def read_all(self) -> None:
        """Reads and encodes every dataset once, so that a mistake in any cell is found at start.

        Raises:
            ConfigurationError: a label's rule does not fit its column.
            DataError: a file, a column, the ids or a cell cannot be used.
        """
        party, data = self._configuration.party, self._configuration.data
        for dataset in self.datasets:
            table = self.table(dataset)
            summarise(party, data, table)
            if data.labels and dataset not in data.unlabelled:
                read_labels(party, data, table.columns, table.path.name)

    def table(self, dataset: str) -> Table:
        """The table of a dataset, read again if its file has changed.

        Args:
            dataset: name of the dataset.

        Returns:
            The table.

        Raises:
            DataError: the dataset is not configured, or its file cannot be used.
        """
        data = self._configuration.data
        if dataset not in data.datasets:
            raise DataError(
                f"dataset {dataset[:64]} is not configured",
                where=self._configuration.party,
                expected=", ".join(self.datasets),
                fix="add it to data.datasets or correct the run configuration",
                public_message=f"dataset {dataset[:64]} is not configured",
            )
        path = self._configuration.path(data.datasets[dataset])
        stamp = _stamp(path)
        known = self._tables.get(dataset)
        if known is not None and known[0] == stamp:
            return known[1]
        limits = FileLimits(data.maximum_rows, data.maximum_bytes)
        table = read_table(
            self._configuration.party,
            dataset,
            path,
            id_column=data.id,
            columns=self._configuration.columns(dataset),
            limits=limits,
        )
        self._tables[dataset] = (stamp, table)
        return table


def _stamp(path: Path) -> tuple[int, int]:
    """A stamp that changes when the file does; a missing file is reported by the reader."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
