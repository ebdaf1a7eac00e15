"""The owner's rules for releasing the quality of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from party.configuration.policy import DataQualityLevel
from party.data.statistics.feature_warnings import WarningKind
from party.data.statistics.quality import DatasetQuality

PERCENT = 100


@dataclass(frozen=True)
class ReleasedQuality:
    """What a coordinator learns of the quality of one dataset.

    Attributes:
        dataset: name of the dataset or table.
        warnings: number of features by kind of warning.
        missing_percent: missing cells among those of all features, in whole percent; None if that is not released.
        unknown_percent: the same of cells whose value the training rows do not have.
    """

    dataset: str
    warnings: Mapping[WarningKind, int]
    missing_percent: int | None
    unknown_percent: int | None


@dataclass(frozen=True)
class QualityRules:
    """The rules by which a party releases the quality of a dataset to one coordinator.

    Attributes:
        level: `none`, kinds of `warnings`, or `shares` of cells too.
        minimum_rows: fewest rows of a dataset, and of the one that it is compared with.
        named: the datasets that the coordinator may learn of.
    """

    level: DataQualityLevel
    minimum_rows: int
    named: frozenset[str]

    @property
    def releases(self) -> bool:
        """Whether anything may be released."""
        return self.level != "none"

    def released(self, quality: DatasetQuality) -> ReleasedQuality | None:
        """What may be released of a dataset.

        Args:
            quality: its counts.

        Returns:
            None where that is nothing: by the level, of too few rows or features, or by comparison with a dataset that
            the coordinator may not learn of.
        """
        compared = quality.compared
        few = quality.rows < self.minimum_rows or (compared is not None and quality.compared_rows < self.minimum_rows)
        if not self.releases or few or not quality.cells or (compared is not None and compared not in self.named):
            return None
        shares = self.level == "shares"
        return ReleasedQuality(
            dataset=quality.dataset,
            warnings=quality.warnings,
            missing_percent=_percent(quality.missing, quality.cells) if shares else None,
            unknown_percent=_percent(quality.unknown, quality.cells) if shares else None,
        )


def _percent(count: int, cells: int) -> int:
    return round(PERCENT * count / cells)
