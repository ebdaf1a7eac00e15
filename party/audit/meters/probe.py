"""The probe: whether a linear model of some rows' hiddens tells a column of other rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from party.audit.meters.separation import Flags, area
from party.cut.hidden import FloatArray

RIDGE = 1e-2  # per row, of standardised columns
CLASS_ROWS_IN_FOLD = 20


def probe_reading(hiddens: FloatArray, fold: Flags, positive: Flags) -> float | None:
    """How well two ridge regressions, each fitted on one fold, tell the classes of the other one apart.

    Args:
        hiddens: float32 (rows, columns).
        fold: which of two folds a row is in, bool (rows,); equal own rows are in one fold, as the model would remember
            them.
        positive: class of each row, bool (rows,).

    Returns:
        The mean of the areas under both ROC curves, from 0 to 1; None where a fold has too few rows of a class.

    Reference:
        Luo et al., "Feature Inference Attack on Model Predictions in Vertical Federated Learning", ICDE 2021, for what
        an attribute of a peer is worth to an attacker; here linear, on hiddens, with half of the rows known.
    """
    for one in (fold, ~fold):
        ones = int((positive & one).sum())
        if min(ones, int(one.sum()) - ones) < CLASS_ROWS_IN_FOLD:
            return None
    areas = [
        area(_scores(hiddens[known], positive[known], hiddens[~known]), positive[~known]) for known in (fold, ~fold)
    ]
    return sum(areas) / 2


def _scores(known: FloatArray, positive: Flags, others: FloatArray) -> npt.NDArray[np.float64]:
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1).astype(np.float32)
    standard = (known - mean) / scale
    products = (standard.T @ standard).astype(np.float64)
    products[np.diag_indices_from(products)] += RIDGE * len(known)
    weights = np.linalg.solve(products, standard.T @ (positive - positive.mean()))
    scores: npt.NDArray[np.float64] = (others - mean) / scale @ weights
    return scores
