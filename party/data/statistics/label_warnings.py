"""Features that give a label away, and labels that differ between datasets; for the label party's owner alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from party.configuration.labels import AnyLabel, BinaryLabel, Labels, MultiClassLabel, RegressionLabel
from party.data.encoders import Encoders
from party.data.kinds.cells import Cells
from party.data.statistics.differences import mean_shift, shares_differ, variation_distance
from party.data.statistics.numbers import NumberStatistics, number_statistics
from party.data.statistics.thresholds import (
    DISTRIBUTION_DISTANCE,
    EXACT_FIT,
    FEWEST_ROWS,
    LABEL_DIFFERENCE,
    MEAN_SHIFT,
    ROWS_PER_VALUE,
)
from party.data.table import Table
from party.output.quantities import share_text

LabelValues = NDArray[np.float32]
Numbers = NDArray[np.float64]


def telling_features(
    encoders: Encoders, table: Table, labels: Labels, values: Mapping[str, LabelValues]
) -> Iterator[str]:
    """Finds features from which a label follows: it is probably known only afterwards.

    Args:
        encoders: the features, fitted on the dataset.
        table: a dataset that is trained on.
        labels: labels by name.
        values: the values of each, float32 (rows,), NaN where a row has none.

    Yields:
        A sentence for each feature and label; it shows no cell.
    """
    for encoder, cells in zip(encoders.encoders, encoders.cells(table.columns, table.path.name), strict=True):
        numbers = encoder.numbers(cells)
        for name, label in labels.items():
            if _tells(label, cells, numbers, values[name]):
                yield (
                    f"feature {encoder.feature.key} tells label {name} in every row: if it is known only once the label"
                    " is, leave it out of data.features"
                )


def differing_labels(
    labels: Labels, trained: tuple[str, Mapping[str, LabelValues]], found: Mapping[str, LabelValues]
) -> Iterator[str]:
    """Finds labels that are distributed otherwise in a dataset than in the one that is trained on.

    Args:
        labels: labels by name.
        trained: name of the dataset that is trained on, and the values of each label by name, float32 (rows,).
        found: the same values of the other dataset, NaN where a row has none.

    Yields:
        A sentence for each such label; it shows shares, means and distances.
    """
    dataset, before = trained
    for name, label in labels.items():
        first, second = (values[~np.isnan(values)] for values in (before[name], found[name]))
        if min(len(first), len(second)) < FEWEST_ROWS:
            continue
        difference = _difference(label, first, second, dataset)
        if difference:
            yield f"label {name}: {difference}: check how both files were made"


def _difference(label: AnyLabel, first: LabelValues, second: LabelValues, dataset: str) -> str:
    """How two distributions differ, in words; empty if they do not."""
    match label:
        case BinaryLabel():
            before, now = (int(first.sum()), len(first)), (int(second.sum()), len(second))
            if shares_differ(before, now, LABEL_DIFFERENCE):
                return f"{share_text(*now)} positive, and {share_text(*before)} in {dataset}"
        case RegressionLabel():
            learned, found = _statistics(first), _statistics(second)
            shift = 0.0 if learned is None or found is None else mean_shift(learned, found)
            if shift > MEAN_SHIFT:
                return f"its mean moved by {shift:.2g} deviations of {dataset}"
        case MultiClassLabel():
            counts = [np.bincount(one.astype(np.int64), minlength=len(label.classes)) for one in (first, second)]
            distance = variation_distance(counts[0], counts[1], rows=(len(first), len(second)))
            if distance > DISTRIBUTION_DISTANCE:
                far = f"{100 * distance:.0f} % (total variation distance)"
                return f"its classes are distributed otherwise than in {dataset}, by {far}"
    return ""


def _statistics(values: LabelValues) -> NumberStatistics | None:
    return number_statistics(values.astype(np.float64), np.ones(len(values), np.int64))


def _tells(label: AnyLabel, cells: Cells, numbers: Numbers | None, values: LabelValues) -> bool:
    """Whether a label follows from the texts of a column, or from its numbers by a bound or by a line."""
    rows = int(np.count_nonzero(~np.isnan(values)))
    if rows < FEWEST_ROWS or np.nanmin(values) == np.nanmax(values):
        return False
    lows, highs = _extremes(cells, values)
    seen = lows <= highs
    if np.array_equal(lows[seen], highs[seen]) and np.count_nonzero(seen) * ROWS_PER_VALUE <= rows:
        return True
    if numbers is None or np.isnan(numbers).all():
        return False
    by_text = np.full(len(lows), math.nan)
    by_text[cells.numbers] = numbers
    match label:
        case BinaryLabel():
            return _has_bound(by_text, lows, highs) and _both_classes(cells, values, by_text)
        case RegressionLabel():
            return _on_a_line(cells, values, by_text)
        case MultiClassLabel():
            return False


def _extremes(cells: Cells, values: LabelValues) -> tuple[LabelValues, LabelValues]:
    """The least and the greatest label of the rows of each distinct text, float32 (distinct texts,)."""
    lows = np.full(len(cells.column.distinct), np.inf, np.float32)
    highs = -lows
    for codes, block in _blocks(cells, values):
        known = ~np.isnan(block)
        np.minimum.at(lows, codes[known], block[known])
        np.maximum.at(highs, codes[known], block[known])
    return lows, highs


def _has_bound(by_text: Numbers, lows: LabelValues, highs: LabelValues) -> bool:
    """Whether all numbers of one class lie below all numbers of the other."""
    given = ~np.isnan(by_text)
    zeros, ones = by_text[given & (lows == 0)], by_text[given & (highs == 1)]
    if not zeros.size or not ones.size:
        return False
    return bool(zeros.max() < ones.min() or ones.max() < zeros.min())


def _both_classes(cells: Cells, values: LabelValues, by_text: Numbers) -> bool:
    """Whether enough rows of both classes have a number."""
    counts = np.zeros(2, np.int64)
    for codes, block in _blocks(cells, values):
        known = ~np.isnan(block) & ~np.isnan(by_text[codes])
        counts += np.bincount(block[known].astype(np.int64), minlength=2)
    return bool(counts.min() >= ROWS_PER_VALUE)


def _on_a_line(cells: Cells, values: LabelValues, by_text: Numbers) -> bool:
    """Whether a label is a number's multiple, moved by a constant, in all rows that have both."""
    middle = np.array([np.nanmean(by_text), np.nanmean(values, dtype=np.float64)])
    sums, products, rows = np.zeros(2), np.zeros((2, 2)), 0
    for codes, block in _blocks(cells, values):
        both = np.stack([by_text[codes], block.astype(np.float64)], axis=1) - middle
        both = both[~np.isnan(both).any(axis=1)]
        sums, products, rows = sums + both.sum(axis=0), products + both.T @ both, rows + len(both)
    if rows < FEWEST_ROWS:
        return False
    covariance = products - np.outer(sums, sums) / rows
    product = covariance[0, 0] * covariance[1, 1]
    return bool(product > 0 and 1 - covariance[0, 1] ** 2 / product < EXACT_FIT)


def _blocks(cells: Cells, values: LabelValues) -> Iterator[tuple[NDArray[np.int32], LabelValues]]:
    """The numbers of texts and the labels of all rows, some at a time."""
    start = 0
    for codes in cells.column.blocks():
        yield codes, values[start : start + len(codes)]
        start += len(codes)
