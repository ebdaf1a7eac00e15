"""The probe: whether a linear model of some rows' hiddens tells a column of other rows."""

from __future__ import annotations

import numpy as np

from party.audit.meters.separation import Flags, area
from party.audit.meters.targets import enough_of_both
from party.cut.hidden import FloatArray

RIDGE = 1e-2  # per row, of standardised columns
CLASS_ROWS_IN_FOLD = 20


def probe_readings(hiddens: FloatArray, fold: Flags, positive: Flags) -> list[float | None]:
    """How well two ridge regressions, each fitted on one fold, tell the classes of the other one apart.

    Args:
        hiddens: float32 (rows, columns), at least one row.
        fold: which of two folds a row is in, bool (rows,); equal own rows are in one fold, as the model would remember
            them.
        positive: class of each row by each of several targets, bool (rows, targets).

    Returns:
        For each target the mean of the areas under both ROC curves, from 0 to 1; None where a fold has too few rows of
        a class.

    Reference:
        Luo et al., "Feature Inference Attack on Model Predictions in Vertical Federated Learning", ICDE 2021, for what
        an attribute of a peer is worth to an attacker; here linear, on hiddens, with half of the rows known.
    """
    if not (fold.any() and not fold.all()):
        return [None] * positive.shape[1]
    deviation = hiddens.std(axis=0)
    standard = (hiddens - hiddens.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    parts = [(standard[one], positive[one]) for one in (fold, ~fold)]
    scores = [other @ _weights(*known) for known, (other, _) in zip(parts, parts[::-1], strict=True)]
    return [
        sum(area(score[:, target], classes[:, target]) for score, (_, classes) in zip(scores, parts[::-1], strict=True))
        / len(parts)
        if all(enough_of_both(classes[:, target], CLASS_ROWS_IN_FOLD) for _, classes in parts)
        else None
        for target in range(positive.shape[1])
    ]


def _weights(standard: FloatArray, positive: Flags) -> FloatArray:
    """Weights of the ridge regression of each target, float32 (columns, targets)."""
    products = standard.T @ standard
    products[np.diag_indices_from(products)] += np.float32(RIDGE * len(standard))
    weights: FloatArray = np.linalg.solve(products, standard.T @ (positive - positive.mean(axis=0, dtype=np.float32)))
    return weights
