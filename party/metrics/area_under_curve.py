"""The area under the ROC curve of one pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def area_under_curve(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.floating]) -> float:
    """Area under the ROC curve, ties counted half.

    Args:
        scores: float (rows,), any monotone function of the probability.
        labels: float (rows,), 0 or 1.

    Returns:
        The area; NaN where one class is absent.

    Reference:
        Hanley and McNeil 1982: the Mann-Whitney statistic over its maximum.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last_rank = np.cumsum(counts)
    mean_rank = last_rank - (counts - 1) / 2
    rank_sum = float(mean_rank[inverse][labels > 0].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)
