"""Labels by the spectrum of gradients: their first principal axis, through zero, separates the classes."""

from __future__ import annotations

import numpy as np

from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.norm import CHANCE
from party.audit.attacks.row_scores import RowScores, relative, tally
from party.audit.own_columns import Floats
from party.audit.received_batch import ReceivedBatch


class FollowedAxis:
    """Keeps the sign of an axis that turns a little from batch to batch, so that scores can be summed."""

    def __init__(self) -> None:
        self._former: Floats | None = None

    def follow(self, axis: Floats) -> Floats:
        """The axis with the sign that is nearer to the one before.

        Args:
            axis: float64 (columns,).
        """
        if self._former is not None and float(axis @ self._former) < 0:
            axis = -axis
        self._former = axis
        return axis


def spectral_attack(material: LabelMaterial) -> tuple[AttackResult, RowScores]:
    """Scores rows by the projection of their gradient on the first eigenvector of the sum of g gᵀ of its batch.

    No label is known. The sign is followed from batch to batch, and chosen once for all by which class is rarer.

    Args:
        material: what a feature party received.

    Returns:
        The result, and the scores, which the posterior uses.

    Reference:
        Sun et al., "Label Leakage and Protection from Forward Embedding in Vertical Federated Learning", 2022, applied
        to gradients: with a logistic loss they are (p - y) v with nearly one direction v.
    """
    axis = FollowedAxis()

    def score(batch: ReceivedBatch) -> Floats:
        values = batch.values.astype(np.float64)
        _, vectors = np.linalg.eigh(values.T @ values)
        return relative(values @ axis.follow(vectors[:, -1]))

    scores = tally(material.gradients, score, material.labels)
    scores.flip_unless_rarer_is_positive(material.positive_is_rarer)
    has, reference = "gradients, which class is rarer", "Sun et al. 2022"
    return material.result("spectral", has, scores, reference=reference, without_run=CHANCE), scores
