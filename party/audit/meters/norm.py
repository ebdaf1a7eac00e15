"""The norm meter: whether the length of a row's gradient tells its class."""

from __future__ import annotations

import numpy as np

from party.audit.meters.separation import Flags, separation
from party.cut.hidden import FloatArray


def norm_reading(gradients: FloatArray, positive: Flags) -> float:
    """How well the norms of the rows tell the classes apart.

    Args:
        gradients: float32 (rows, columns).
        positive: class of each row, bool (rows,); both classes occur.

    Returns:
        From 0.5 to 1.

    Reference:
        Li et al., "Label Leakage and Protection in Two-party Split Learning", ICLR 2022 (arXiv 2102.08504).
    """
    return separation(np.einsum("rc,rc->r", gradients, gradients), positive)
