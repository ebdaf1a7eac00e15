"""The area under the precision-recall curve of one pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def average_precision(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.floating]) -> float:
    """The mean, over the positive rows, of the precision among all rows that are scored as high as each, or higher.

    That is Σ (Rₙ − Rₙ₋₁) Pₙ over the thresholds, as scikit-learn defines it: no interpolation.

    Args:
        scores: any monotone function of the probability, float (rows,).
        labels: 0 or 1, float (rows,).

    Returns:
        From 0 to 1; NaN without positive rows.
    """
    positives = int(np.count_nonzero(labels))
    if not positives:
        return float("nan")
    _, inverse, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    hits = np.bincount(inverse, weights=labels > 0, minlength=len(counts))
    precision = np.cumsum(hits) / np.cumsum(counts)
    return float((hits * precision).sum() / positives)
