"""The agreement meter: how often the sign of a row's score is its class, beside the ceiling of private labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from party.audit.meters.separation import Flags
from party.cut.hidden import FloatArray

ERRORS_ABOVE = 4.0  # standard errors: chance passes them in 3 of 100,000 readings


@dataclass(frozen=True)
class SignAgreement:
    """How often the sign of a score is right, as the mean over both classes.

    The mean over the classes, as calling every row negative would be right for 96 % of rows where 4 % are positive.

    Attributes:
        value: from 0 to 1; 0.5 is what guessing reaches.
        error: its standard error.
    """

    value: float
    error: float

    def exceeds(self, ceiling: float) -> bool:
        """Whether it is above a ceiling by more than chance explains."""
        return self.value > ceiling + ERRORS_ABOVE * self.error


def sign_agreement(scores: FloatArray, positive: Flags) -> SignAgreement:
    """How often a score is above zero for the positive class, and not above for the negative.

    Args:
        scores: float32 (rows,).
        positive: class of each row, bool (rows,); both classes occur.
    """
    above = scores > 0
    right = (above[positive], ~above[~positive])
    shares = [float(one.mean(dtype=np.float64)) for one in right]
    variances = [share * (1 - share) / len(one) for share, one in zip(shares, right, strict=True)]
    return SignAgreement(sum(shares) / 2, math.sqrt(sum(variances)) / 2)


def private_ceiling(epsilon: float) -> float:
    """The largest expected agreement with labels that were drawn with privacy.

    Args:
        epsilon: epsilon of the label, over 0.

    Returns:
        1 / (1 + e^-epsilon): an attacker's rates of right and wrong positives differ by at most
        (e^epsilon - 1) / (e^epsilon + 1).

    Reference:
        Kairouz, Oh and Viswanath, "The Composition Theorem for Differential Privacy", ICML 2015, the region of an
        epsilon-private test.
    """
    return 1 / (1 + math.exp(-epsilon))


def class_ceiling(replacement: float) -> float:
    """The largest expected agreement about one class against all others.

    Args:
        replacement: probability that a uniform class replaces the true one.

    Returns:
        1 - replacement / 2: the distributions of the drawn class, given the true one or another, have a total variation
        distance of 1 - replacement. With two classes this is `private_ceiling`.
    """
    return 1 - replacement / 2
