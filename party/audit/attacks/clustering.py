"""Labels by clusters of gradients: two of them, one for each class."""

from __future__ import annotations

import numpy as np

from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.direction import unit_rows
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.norm import CHANCE
from party.audit.attacks.row_scores import relative, tally
from party.audit.attacks.spectral import FollowedAxis
from party.audit.own_columns import Floats
from party.audit.received_batch import ReceivedBatch

ROUNDS = 20


def clustering_attack(material: LabelMaterial) -> AttackResult:
    """Scores rows by the two means of the directions of a batch's gradients: how much nearer they are to one of them.

    No label is known. Which mean is which is followed from batch to batch, and chosen once for all by which class is
    rarer.

    Args:
        material: what a feature party received.

    Reference:
        Liu et al., "Clustering Label Inference Attack against Practical Split Learning", 2022.
    """
    axis = FollowedAxis()

    def score(batch: ReceivedBatch) -> Floats:
        values = batch.values.astype(np.float64)
        units = unit_rows(values)
        first, second = _two_means(units)
        direction = axis.follow(first - second)
        return relative((units - (first + second) / 2) @ direction)

    scores = tally(material.gradients, score, material.labels)
    scores.flip_unless_rarer_is_positive(material.positive_is_rarer)
    return material.result(
        "clustering", "gradients, which class is rarer", scores, reference="Liu et al. 2022", without_run=CHANCE
    )


def _two_means(units: Floats) -> tuple[Floats, Floats]:
    """Lloyd's algorithm from the two rows that are farthest apart from the first one, and from each other."""
    first = units[np.argmax(((units - units[0]) ** 2).sum(axis=1))]
    second = units[np.argmax(((units - first) ** 2).sum(axis=1))]
    for _ in range(ROUNDS):
        nearer = ((units - first) ** 2).sum(axis=1) < ((units - second) ** 2).sum(axis=1)
        if nearer.all() or not nearer.any():
            break
        first, second = units[nearer].mean(axis=0), units[~nearer].mean(axis=0)
    return first, second
