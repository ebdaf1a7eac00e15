"""Whether predicted probabilities are those with which labels occur."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatsOfRows = npt.NDArray[np.floating]

BINS = 15  # of equal width, as in the reference


def calibration_ratio(probabilities: FloatsOfRows, labels: FloatsOfRows) -> float:
    """Positive rows that a model expects over those that there are: 1 at best, above 1 where it expects too many.

    Args:
        probabilities: of the positive class, float (rows,).
        labels: 0 or 1, float (rows,).

    Returns:
        The sum of the probabilities over the sum of the labels; NaN without positive rows.

    Reference:
        He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014, section 3.
    """
    positives = float(labels.sum(dtype=np.float64))
    return float(probabilities.sum(dtype=np.float64)) / positives if positives else float("nan")


def calibration_error(confidences: FloatsOfRows, right: FloatsOfRows) -> float:
    """The expected calibration error: how far confidence is from the share of rows that are right, bin by bin.

    Args:
        confidences: probability that a row is right, float (rows,), from 0 to 1.
        right: 1 where it is, else 0, float (rows,).

    Returns:
        The mean, weighted by rows, of the distances of BINS bins; NaN without rows.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3; bins are ((b − 1) / B, b / B].
    """
    if not len(confidences):
        return float("nan")
    wide = confidences.astype(np.float64)
    bins = np.clip(np.ceil(np.nan_to_num(wide) * BINS).astype(np.int64) - 1, 0, BINS - 1)
    distances = np.bincount(bins, weights=wide - right, minlength=BINS)
    return float(np.abs(distances).sum() / len(wide))
