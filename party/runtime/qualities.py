"""The quality of the datasets of a party, computed when a session first needs it and again when files change."""

from __future__ import annotations

from party.configuration.party import PartyConfiguration
from party.data.statistics.quality import DatasetQuality, dataset_quality
from party.data.table import Table
from party.errors import ConfigurationError, DataError
from party.runtime.tables import Tables

Content = tuple[str, str, int | None]


class Qualities:
    """Remembers the counts of each dataset for as long as it, and the one that it is compared with, are the same."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[Content, ...], DatasetQuality]] = {}

    def of(self, configuration: PartyConfiguration, tables: Tables, dataset: str) -> DatasetQuality | None:
        """The quality of a dataset or table, over all of its rows, whichever are common to the parties.

        Args:
            configuration: the party's configuration, which says what is trained on.
            tables: the party's datasets.
            dataset: name of one of them, or of a table.

        Returns:
            The counts; None where it, or the dataset that it is compared with, cannot be used.
        """
        name = configuration.compared_dataset
        alone = name is None or configuration.trains_on(dataset)
        try:
            table, compared = tables.table(dataset), None if alone or name is None else tables.table(name)
            content = (_content(table), *(() if compared is None else (_content(compared),)))
            known = self._known.get(dataset)
            if known is not None and known[0] == content:
                return known[1]
            found = dataset_quality(configuration.party, configuration.data, table, compared=compared)
        except (DataError, ConfigurationError):
            return None
        self._known[dataset] = (content, found)
        return found


def _content(table: Table) -> Content:
    return table.dataset, table.rows_sha256, table.generation
