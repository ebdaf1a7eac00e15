"""Labels by the direction of gradients: cosine to the gradient of one known positive row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.norm import CHANCE
from party.audit.attacks.row_scores import TINY, RowScores, training_batches
from party.audit.own_columns import Floats, Ints
from party.audit.received import Received

KNOWN_ROWS = 5  # the attack is repeated with each as the one known row; the median result is told


def direction_attack(material: LabelMaterial, seed: int = 0) -> AttackResult | None:
    """Scores rows by the cosine of their gradient to that of one known positive row, in the same epoch.

    The known row orients the scores. Without a run, one label says nothing about others.

    Args:
        material: what a feature party received.
        seed: of the choice of known rows.

    Returns:
        The median over known rows; None if no positive row was trained on.

    Reference:
        Li et al., "Label Leakage and Protection in Two-party Split Learning", ICLR 2022, section 3.2.
    """
    known = _known_rows(material, seed)
    if not len(known):
        return None
    gradients = _gradients_of(material.gradients, known)
    tallies = [RowScores(material.labels, np.array([row])) for row in known]
    for batch in training_batches(material.gradients):
        unit = unit_rows(batch.values.astype(np.float64))
        for row, scores in zip(known.tolist(), tallies, strict=True):
            reference = gradients.get((batch.epoch, row))
            if reference is not None:
                scores.add(batch.rows.astype(np.int64), unit @ reference)
    scores = sorted(tallies, key=lambda one: one.all_epochs)[len(tallies) // 2]
    return material.result(
        "direction", "gradients, 1 positive row", scores, reference="Li et al. 2022, 3.2", without_run=CHANCE
    )


def _known_rows(material: LabelMaterial, seed: int) -> Ints:
    """Some positive rows that were trained on, in random order."""
    trained = np.zeros(len(material.labels), np.bool_)
    for batch in training_batches(material.gradients):
        trained[batch.rows] = True
    positive = np.flatnonzero(trained & (material.labels == 1))
    return np.random.default_rng(seed).permutation(positive)[:KNOWN_ROWS]


def _gradients_of(received: Received, rows: Ints) -> Mapping[tuple[int, int], Floats]:
    """The direction of the gradient of each row in each epoch."""
    found = {}
    for batch in training_batches(received):
        for place in np.flatnonzero(np.isin(batch.rows, rows)).tolist():
            found[batch.epoch, int(batch.rows[place])] = unit_rows(batch.values[place : place + 1].astype(np.float64))[
                0
            ]
    return found


def unit_rows(values: Floats) -> Floats:
    """Rows of length one, float64 (rows, columns)."""
    scaled: Floats = values / (np.linalg.norm(values, axis=1, keepdims=True) + TINY)
    return scaled
