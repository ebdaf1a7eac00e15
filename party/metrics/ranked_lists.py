"""Figures of the first k rows of each group: what a recommender would show."""

from __future__ import annotations

import numpy as np

from party.metrics.groups import Floats, Ints, RankedGroups


def hit_rate(ranked: RankedGroups, k: int) -> float:
    """The share of groups with a positive row that have one among their first k rows.

    Of tied rows of which only some are among the first k, any may be: the figure is the probability that a positive
    row is.

    Args:
        ranked: the rows by group.
        k: length of the list, at least 1.

    Returns:
        The share; NaN where no group has a positive row.
    """
    counted = ranked.with_positive
    if not counted.any():
        return float("nan")
    seats = _seats(ranked, k)
    first = (ranked.block_positives > 0) & (ranked.positives_above == 0) & (seats > 0)
    hits = np.zeros(len(ranked.block_sizes))
    hits[first] = 1.0 - _all_negative(ranked.block_sizes[first], ranked.block_positives[first], seats[first])
    return float(ranked.sum_by_group(hits)[counted].mean())


def discounted_gain(ranked: RankedGroups, k: int) -> float:
    """The normalised discounted cumulative gain of the first k rows, averaged over the groups with a positive row.

    A positive row in place r, from 1, adds 1 / log2(r + 1); the sum is divided by that of the best order. Tied rows
    have the mean discount of their places.

    Args:
        ranked: the rows by group.
        k: length of the list, at least 1.

    Returns:
        The mean; NaN where no group has a positive row.

    Reference:
        Järvelin and Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", ACM TOIS 20, 2002; ties as in
        McSherry and Najork, "Computing Information Retrieval Performance Measures Efficiently in the Presence of Tied
        Scores", ECIR 2008.
    """
    counted = ranked.with_positive
    if not counted.any():
        return float("nan")
    discounts = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(k) + 2.0))])
    start = np.minimum(ranked.rows_above, k)
    in_block = discounts[np.minimum(ranked.rows_above + ranked.block_sizes, k)] - discounts[start]
    gains = ranked.sum_by_group(ranked.block_positives * in_block / ranked.block_sizes)[counted]
    return float((gains / discounts[np.minimum(ranked.positives[counted], k)]).mean())


def _seats(ranked: RankedGroups, k: int) -> Ints:
    """How many rows of each block are among the first k of their group, int64 (blocks,)."""
    return np.clip(k - ranked.rows_above, 0, ranked.block_sizes)


def _all_negative(sizes: Ints, positives: Ints, seats: Ints) -> Floats:
    """The probability that `seats` rows, drawn from `sizes` of which some are positive, are all negative."""
    negatives = sizes - positives
    probabilities = np.ones(len(sizes))
    for drawn in range(int(seats.max(initial=0))):
        draws = seats > drawn
        left = np.maximum(0, negatives[draws] - drawn)
        probabilities[draws] *= left / (sizes[draws] - drawn)
    return probabilities
