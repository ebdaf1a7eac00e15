"""Curves of predicted probabilities against labels, as points: each stands for several rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from party.metrics.calibration import BINS

FloatsOfRows = npt.NDArray[np.floating]
Points = tuple[tuple[float, float], ...]

MOST_POINTS = 60  # of a ROC curve
LEAST_ROWS = 10  # behind a point of a reliability curve


def roc_points(probabilities: FloatsOfRows, labels: FloatsOfRows) -> Points:
    """The ROC curve: shares of negative and of positive rows above falling thresholds.

    Args:
        probabilities: of the positive class, float (rows,).
        labels: 0 or 1, float (rows,), both among them.

    Returns:
        At most MOST_POINTS points from (0, 0) to (1, 1), ascending; rows of one probability count together.

    Reference:
        Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006, algorithm 1.
    """
    order = np.argsort(-probabilities, kind="stable")
    ends = np.flatnonzero(np.diff(probabilities[order], append=-np.inf))
    positives = np.cumsum(labels[order], dtype=np.float64)[ends]
    negatives = ends + 1 - positives
    across = np.concatenate([[0.0], negatives / negatives[-1]])
    up = np.concatenate([[0.0], positives / positives[-1]])
    chosen = np.unique(np.linspace(0, len(up) - 1, MOST_POINTS).round().astype(np.int64))
    return tuple((float(across[place]), float(up[place])) for place in chosen)


def reliability_points(probabilities: FloatsOfRows, labels: FloatsOfRows) -> Points:
    """The reliability curve: mean probability and share of positive rows in bins of equal width.

    Args:
        probabilities: of the positive class, float (rows,), from 0 to 1.
        labels: 0 or 1, float (rows,).

    Returns:
        A point for each bin with LEAST_ROWS rows, ascending.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, figure 1.
    """
    bins = np.clip(np.ceil(probabilities * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    expected = np.bincount(bins, weights=probabilities, minlength=BINS)
    found = np.bincount(bins, weights=labels, minlength=BINS)
    enough = np.flatnonzero(counts >= LEAST_ROWS)
    return tuple((float(expected[one] / counts[one]), float(found[one] / counts[one])) for one in enough)
