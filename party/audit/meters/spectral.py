"""The spectral meter: whether the main direction of the gradients tells a row's class, without any known label."""

from __future__ import annotations

import numpy as np

from party.audit.meters.separation import Flags, separation
from party.cut.hidden import FloatArray

ITERATIONS = 64  # a power method in float32; each multiplies a matrix of (columns, columns)


def main_projections(gradients: FloatArray) -> FloatArray:
    """Projections of the rows on the top eigenvector of the sum of g gᵀ.

    Args:
        gradients: float32 (rows, columns).

    Returns:
        float32 (rows,); their sign is arbitrary.
    """
    products = gradients.T @ gradients
    vector = products[int(np.argmax(np.diag(products)))]
    for _ in range(ITERATIONS):
        length = np.sqrt(vector @ vector)
        if not length > 0:
            break
        vector = products @ (vector / length)
    projections: FloatArray = gradients @ vector
    return projections


def spectral_reading(projections: FloatArray, positive: Flags) -> float:
    """How well the projections tell the classes apart.

    Args:
        projections: from `main_projections`, float32 (rows,).
        positive: class of each row, bool (rows,); both classes occur.

    Returns:
        From 0.5 to 1.

    Reference:
        Sun et al., "Label Leakage and Protection from Forward Embedding in Vertical Federated Learning", 2022
        (arXiv 2203.01451): spectral attack; here on gradients, as an attacker without any label has it.
    """
    return separation(projections, positive)
