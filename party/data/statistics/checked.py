"""What the owner is told of each dataset: statistics, and what a model cannot learn from, labels included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from party.configuration.party import PartyConfiguration
from party.data.labels import read_labels
from party.data.statistics.feature_warnings import WarningKind, differing_warnings, own_warnings
from party.data.statistics.label_warnings import differing_labels, telling_features
from party.data.statistics.profiles import DatasetProfile, LearnedProfile, learn_profile, profile_beside
from party.data.table import Table
from party.errors import one_line

LabelValues = Mapping[str, NDArray[np.float32]]


class CheckedQuality:
    """Compares the datasets of a party with the one that it trains on.

    Args:
        configuration: the party's configuration.
        trained: the dataset that others are compared with; None without one, or where it cannot be used.
    """

    def __init__(self, configuration: PartyConfiguration, trained: Table | None) -> None:
        self._configuration = configuration
        self._trained = None if trained is None else self._learn(trained)
        self._labels = None if trained is None else self._label_values(trained)

    def tell(self, table: Table) -> tuple[DatasetProfile | None, list[str]]:
        """Looks at a dataset or table.

        Args:
            table: one that can be used.

        Returns:
            The statistics of its features, None without any; and its warnings, a line each.

        Raises:
            DataError: a cell that fits the dataset alone does not fit what was learned from the other one.
        """
        configuration, trained = self._configuration, self._trained
        if not configuration.data.features:
            return None, self._lines(table, self._label_lines(table))
        if trained is None or configuration.trains_on(table.dataset):
            is_compared = trained is not None and trained.profile.dataset == table.dataset
            learned = trained if trained is not None and is_compared else self._learn(table)
            profile = learned.profile
            found = own_warnings(profile, is_table=bool(configuration.data.tables))
            telling = self._telling_lines(learned, table)
        else:
            profile, telling = profile_beside(trained, table), iter(())
            found = differing_warnings(trained.profile, profile)
        # That all cells are missing is also said where the party starts, with what the cells look like.
        lines = [f"feature {one.feature}: {one.text}" for one in found if one.kind != WarningKind.DEAD]
        return profile, self._lines(table, [*lines, *telling, *self._label_lines(table)])

    def _lines(self, table: Table, found: Iterable[str]) -> list[str]:
        return [one_line(f"warning: {table.dataset}: {line}") for line in found]

    def _learn(self, table: Table) -> LearnedProfile:
        return learn_profile(self._configuration.party, self._configuration.data, table)

    def _telling_lines(self, learned: LearnedProfile, table: Table) -> Iterator[str]:
        values = self._label_values(table)
        if values is not None:
            yield from telling_features(learned.encoders, table, self._configuration.data.labels, values)

    def _label_lines(self, table: Table) -> Iterator[str]:
        values = self._label_values(table)
        if values is None or self._labels is None or self._trained is None:
            return
        before = self._trained.profile.dataset
        if not self._configuration.trains_on(table.dataset):
            yield from differing_labels(self._configuration.data.labels, (before, self._labels), values)

    def _label_values(self, table: Table) -> LabelValues | None:
        data = self._configuration.data
        if not data.labels or table.dataset in data.unlabelled:
            return None
        read = read_labels(self._configuration.party, data, table.columns, table.path.name, weighted=False)
        return {name: read.values[:, place] for place, name in enumerate(data.labels)}
