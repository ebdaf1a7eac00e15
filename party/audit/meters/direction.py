"""The direction meter: whether the mean gradient of each class, known from some batches, tells the class in others."""

from __future__ import annotations

import numpy as np

from party.audit.meters.separation import Flags
from party.cut.hidden import FloatArray


def direction_scores(gradients: FloatArray, odd: Flags, positive: Flags) -> FloatArray | None:
    """Scores of every row along the difference of the class means of the batches that it does not belong to.

    Args:
        gradients: float32 (rows, columns).
        odd: whether a row belongs to an odd batch, bool (rows,).
        positive: class of each row, bool (rows,).

    Returns:
        float32 (rows,), higher for the positive class; None where a half lacks a class.

    Reference:
        Fu et al., "Label Inference Attacks Against Vertical Federated Learning", USENIX Security 2022, direct attack;
        a class mean in place of a single known row.
    """
    scores = np.empty(len(gradients), np.float32)
    for known in (odd, ~odd):
        ones, zeros = known & positive, known & ~positive
        if not (ones.any() and zeros.any()):
            return None
        direction = _mean(gradients, ones) - _mean(gradients, zeros)
        length = np.sqrt(direction @ direction)
        if length > 0:
            direction /= length
        scores[~known] = gradients[~known] @ direction
    return scores


def _mean(gradients: FloatArray, chosen: Flags) -> FloatArray:
    mean: FloatArray = chosen.astype(np.float32) @ gradients / np.float32(chosen.sum())
    return mean
