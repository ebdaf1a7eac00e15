"""Figures of rows that are predicted to be positive, and of the probability that a model gives to what happened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatsOfRows = npt.NDArray[np.floating]


def f1(predicted: npt.NDArray[np.bool_], labels: FloatsOfRows) -> float:
    """The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    Args:
        predicted: whether each row is predicted to be positive, bool (rows,).
        labels: 0 or 1, float (rows,).

    Returns:
        From 0 to 1; NaN without positive rows.
    """
    positive = labels > 0
    if not positive.any():
        return float("nan")
    found = int(np.count_nonzero(predicted & positive))
    return 2.0 * found / int(np.count_nonzero(predicted) + np.count_nonzero(positive))


def row_log_losses(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """What the log loss of each row would be for each class.

    Args:
        logits: float (rows, 1) of the positive class, or (rows, classes).

    Returns:
        −ln of the probability of each class, float64 (rows, classes), with the negative class first of two.
    """
    wide = logits.astype(np.float64)
    if wide.shape[1] == 1:
        wide = np.concatenate([np.zeros_like(wide), wide], axis=1)
    shifted = wide - wide.max(axis=1, keepdims=True)
    losses: npt.NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1, keepdims=True)) - shifted
    return losses


def log_loss(logits: FloatsOfRows, classes: FloatsOfRows) -> float:
    """The mean of −ln of the probability of each row's class; no probability is clipped.

    Args:
        logits: as for `row_log_losses`.
        classes: number of each row's class, float (rows,).

    Returns:
        At least 0; NaN without rows.
    """
    if not len(classes):
        return float("nan")
    by_class = row_log_losses(logits)
    return float(by_class[np.arange(len(classes)), classes.astype(np.int64)].mean())
