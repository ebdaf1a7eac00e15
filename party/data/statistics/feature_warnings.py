"""What a model cannot learn from, or could learn wrongly: warnings on features, none of which looks at a label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from party.data.statistics.differences import mean_shift, shares_differ, variation_distance
from party.data.statistics.profiles import DatasetProfile, FeatureProfile
from party.data.statistics.thresholds import (
    DISTRIBUTION_DISTANCE,
    FEWEST_IDS,
    FEWEST_ROWS,
    ID_SHARE,
    ID_SPACING,
    MEAN_SHIFT,
    MISSING_DIFFERENCE,
    UNKNOWN_SHARE,
)
from party.output.quantities import share_text

_TEXT_IDS = ("vocabulary", "hash")
_LEAVE_OUT = "leave it out of data.features"
_CONSTANT = "the same in every row, so that a model learns nothing from it"


class WarningKind(StrEnum):
    """Kinds of warnings on a feature of a dataset."""

    DEAD = "dead"
    CONSTANT = "constant"
    IDENTIFIER = "identifier"
    UNKNOWN = "unknown"
    MISSING_DIFFERS = "missing_differs"
    NUMBERS_DIFFER = "numbers_differ"
    VALUES_DIFFER = "values_differ"


@dataclass(frozen=True)
class FeatureWarning:
    """A warning on one feature of a dataset.

    Attributes:
        kind: its kind.
        feature: name of the feature.
        text: what was found and what to do, without any cell.
    """

    kind: WarningKind
    feature: str
    text: str


def own_warnings(profile: DatasetProfile, *, is_table: bool) -> Iterator[FeatureWarning]:
    """Looks at a dataset that a party trains on, or at a table.

    Args:
        profile: the dataset.
        is_table: whether each row is an entity, so that a text may well stand in one row only.

    Yields:
        At most one warning for each feature.
    """
    for feature in profile.features:
        if feature.missing == feature.rows:
            yield _dead(feature)
        elif profile.rows < FEWEST_ROWS:
            continue
        elif feature.states == 1:
            text = (
                f"says the same in every row, so that a model learns nothing from it: {_LEAVE_OUT}, or check the column"
            )
            yield FeatureWarning(WarningKind.CONSTANT, feature.name, text)
        elif _is_id(feature, is_table):
            text = (
                f"{feature.distinct:,} distinct values in {feature.given:,} cells, as an id has them, and what a model"
                f" learns of one row helps for no other: {_LEAVE_OUT}"
            )
            yield FeatureWarning(WarningKind.IDENTIFIER, feature.name, text)
        elif feature.unknown > UNKNOWN_SHARE * feature.rows:
            text = (
                f"{share_text(feature.unknown, feature.rows)} of its cells hold values that its vocabulary leaves out,"
                " and count as the same: check values, minimum_count and maximum_size"
            )
            yield FeatureWarning(WarningKind.UNKNOWN, feature.name, text)


def differing_warnings(learned: DatasetProfile, found: DatasetProfile) -> Iterator[FeatureWarning]:
    """Looks at a dataset that a party does not train on.

    Args:
        learned: the dataset that it trains on.
        found: the other one.

    Yields:
        Warnings, in the order of the features.
    """
    for before, feature in zip(learned.features, found.features, strict=True):
        if feature.missing == feature.rows:
            yield _dead(feature)
        elif min(found.rows, learned.rows) >= FEWEST_ROWS:
            yield from _differences(before, feature, learned.dataset)


def _dead(feature: FeatureProfile) -> FeatureWarning:
    return FeatureWarning(WarningKind.DEAD, feature.name, "all of its cells are missing: check the column")


def _is_id(feature: FeatureProfile, is_table: bool) -> bool:
    if feature.given < FEWEST_IDS or feature.distinct < ID_SHARE * feature.given:
        return False
    if feature.kind in _TEXT_IDS:
        return not is_table
    numbers = feature.numbers
    if feature.kind != "numeric" or numbers is None or not numbers.whole:
        return False
    # Measurements are seldom whole, all different and without gaps; numbers that count rows are.
    return numbers.greatest - numbers.least < ID_SPACING * numbers.distinct


def _differences(before: FeatureProfile, feature: FeatureProfile, trained: str) -> Iterator[FeatureWarning]:
    if shares_differ((before.missing, before.rows), (feature.missing, feature.rows), MISSING_DIFFERENCE):
        mine, theirs = share_text(feature.missing, feature.rows), share_text(before.missing, before.rows)
        text = f"{mine} of its cells are missing, and {theirs} in {trained}: check how both files were made"
        yield FeatureWarning(WarningKind.MISSING_DIFFERS, feature.name, text)
    if feature.unknown > UNKNOWN_SHARE * feature.rows:
        text = (
            f"{share_text(feature.unknown, feature.rows)} of its cells hold values that {trained} does not have, so"
            " that nothing is learned for them: compare how both files write them, or train on rows that have them"
        )
        yield FeatureWarning(WarningKind.UNKNOWN, feature.name, text)
        return  # the values that are left differ too
    shift = _shift(before, feature)
    if shift > MEAN_SHIFT:
        text = f"its mean moved by {shift:.2g} deviations of {trained}: compare units and times of both files"
        yield FeatureWarning(WarningKind.NUMBERS_DIFFER, feature.name, text)
        return
    distance = variation_distance(before.parts, feature.parts, rows=(before.given, feature.given - feature.unknown))
    if distance > DISTRIBUTION_DISTANCE:
        text = (
            f"its values are distributed otherwise than in {trained}, by {100 * distance:.0f} % (total variation"
            " distance): check how both files were made"
        )
        yield FeatureWarning(WarningKind.VALUES_DIFFER, feature.name, text)


def _shift(before: FeatureProfile, feature: FeatureProfile) -> float:
    if before.numbers is None or feature.numbers is None:
        return 0.0
    return mean_shift(before.numbers, feature.numbers)
