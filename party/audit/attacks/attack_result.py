"""The result of one attack: a row of the audit's table."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class AttackResult:
    """How well an attacker tells the rows of a secret apart, with a run and without one.

    Figures are areas under the ROC curve over rows that the attacker does not know: 0.5 is a guess, 1 is certainty.
    Where the attacker has no label to orient its scores by, a figure below 0.5 means that it took one side for the
    other: what counts is the distance from 0.5.

    Attributes:
        secret: what the attacker is after.
        attack: name of the attack.
        attacker_has: what it has besides the recording's columns.
        one_step: with one epoch's messages alone; None where the attack needs more.
        all_epochs: with all that was received.
        standard_error: of `all_epochs`, over the rows that it was judged by.
        without_run: with the same knowledge and the attacker's own columns, and no run; None where the attacker's own
            columns are not known.
        reference: paper or section that the attack comes from.
    """

    secret: str
    attack: str
    attacker_has: str
    one_step: float | None
    all_epochs: float
    standard_error: float
    without_run: float | None
    reference: str


def area_error(area: float, positives: int, negatives: int) -> float:
    """Standard error of an area under the ROC curve.

    Args:
        area: the area, from 0 to 1.
        positives: number of rows of the positive class.
        negatives: number of other rows.

    Returns:
        The standard error; NaN where one class is absent.

    Reference:
        Hanley and McNeil 1982, equation 2.
    """
    if not positives or not negatives:
        return math.nan
    area = max(area, 1 - area)
    both, twice = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (both - area**2) + (negatives - 1) * (twice - area**2)
    return math.sqrt(max(0.0, variance) / (positives * negatives))
