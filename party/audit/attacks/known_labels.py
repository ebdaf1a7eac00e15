"""Labels by the linear score of gradients that best separates rows whose labels are known: the strongest attacker."""

from __future__ import annotations

import numpy as np

from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.row_scores import TINY, RowScores, relative, training_batches
from party.audit.own_columns import Floats

KNOWN_SHARE = 0.5
DECAY = 0.97  # of the memory of former batches: gradients turn slowly
SHRINKAGE = 1.0  # towards equal variances, relative to their mean: strong, since noise spoils small ones


class FollowedClasses:
    """Means of two classes and the covariance within them, over the last batches.

    Args:
        columns: number of columns.
    """

    def __init__(self, columns: int) -> None:
        self._counts = np.zeros(2)
        self._sums = np.zeros((2, columns))
        self._squares = np.zeros((columns, columns))

    def add(self, values: Floats, labels: Floats) -> None:
        """Adds known rows of a batch.

        Args:
            values: float64 (rows, columns).
            labels: 0 or 1, float64 (rows,).
        """
        members = np.stack([1 - labels, labels])
        self._counts = DECAY * self._counts + members.sum(axis=1)
        self._sums = DECAY * self._sums + members @ values
        self._squares = DECAY * self._squares + values.T @ values

    def weights(self) -> Floats | None:
        """Fisher's linear discriminant, float64 (columns,); None before both classes were seen."""
        if (self._counts < 1).any():
            return None
        means = self._sums / self._counts[:, None]
        within = (self._squares - (means.T * self._counts) @ means) / self._counts.sum()
        columns = len(within)
        shrunk = within + (SHRINKAGE * np.trace(within) / columns + TINY) * np.eye(columns)
        return np.asarray(np.linalg.solve(shrunk, means[1] - means[0]), np.float64)


def known_labels_attack(material: LabelMaterial, seed: int = 0) -> AttackResult:
    """Scores rows by a discriminant that is fitted on half of the rows, whose labels are known.

    This is more than a party should have; it bounds what a linear attacker with fewer labels can reach.

    Args:
        material: what a feature party received.
        seed: of the choice of known rows.

    Reference:
        Fisher 1936, on the gradients of the latest batches.
    """
    count = len(material.labels)
    known = np.random.default_rng(seed).random(count) < KNOWN_SHARE
    scores, classes = RowScores(material.labels, np.flatnonzero(known)), None
    for batch in training_batches(material.gradients):
        values, is_known = batch.values.astype(np.float64), known[batch.rows]
        values /= np.sqrt((values**2).sum(axis=1).mean()) + TINY
        classes = classes or FollowedClasses(values.shape[1])
        classes.add(values[is_known], material.labels[batch.rows][is_known].astype(np.float64))
        weights = classes.weights()
        if weights is not None:
            scores.add(batch.rows.astype(np.int64), relative(values @ weights))
    return material.result(
        "half of the labels",
        "gradients, labels of half of the rows",
        scores,
        reference="Fisher 1936",
        without_run=material.own_columns_area,
    )
