"""The head of a label party that lies: it wants hiddens to tell a secret, and knows it for a few rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from party.audit.linear_models import sigmoid
from party.audit.own_columns import Ints
from party.cut.hidden import FloatArray, Rows


class AttributeHead:
    """A logistic head with fixed weights, whose gradients reach the rows of known secret alone.

    Args:
        secret: 0 or 1 by row; that of unknown rows is not read, int64 (rows,).
        known: whether the secret of a row is known, bool (rows,).
        columns: number of columns of the hiddens.
        seed: of the weights.

    Reference:
        Pasquini et al., "Unleashing the Tiger: Inference Attacks on Split Learning", CCS 2021.
    """

    def __init__(self, secret: Ints, known: NDArray[np.bool_], columns: int, seed: int) -> None:
        self._secret = secret
        self._known = known
        self._weights = np.random.default_rng(seed).normal(size=columns)

    def gradients(self, hiddens: FloatArray, rows: Rows) -> FloatArray:
        """Gradients of the head's mean loss over the known rows of a batch by its hiddens.

        Args:
            hiddens: float32 (rows, columns).
            rows: row numbers of the batch, int32 (rows,).

        Returns:
            float32 (rows, columns); zero in rows of unknown secret.
        """
        known = self._known[rows]
        errors = sigmoid(hiddens.astype(np.float64) @ self._weights) - self._secret[rows]
        shares = np.where(known, errors, 0.0) / max(1, int(known.sum()))
        return np.outer(shares, self._weights).astype(np.float32)
