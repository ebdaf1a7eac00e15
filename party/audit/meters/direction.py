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
    shares = np.zeros((2, len(gradients)), np.float32)
    for half, known in zip(shares, (~odd, odd), strict=True):
        ones, zeros = known & positive, known & ~positive
        if not (ones.any() and zeros.any()):
            return None
        half[ones], half[zeros] = 1 / ones.sum(), -1 / zeros.sum()
    directions = shares @ gradients
    lengths = np.sqrt(np.einsum("hc,hc->h", directions, directions))
    directions /= np.where(lengths > 0, lengths, 1)[:, None]
    by_half = gradients @ directions.T
    # A row of an odd batch is scored along the direction of the even ones, which is the first.
    scores: FloatArray = np.where(odd, by_half[:, 0], by_half[:, 1])
    return scores
