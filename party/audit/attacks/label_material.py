"""What attacks on labels work on, at a feature party."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from party.audit.attacks.attack_result import AttackResult, area_error
from party.audit.attacks.row_scores import RowScores
from party.audit.linear_models import cross_fitted_log_odds
from party.audit.own_columns import Floats, Ints, OwnColumns
from party.audit.received import Received
from party.metrics.area_under_curve import area_under_curve


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelMaterial:
    """The gradients that a feature party received, what it has besides, and the truth to judge by.

    Attributes:
        secret: name of the label.
        gradients: gradients of every batch of training.
        labels: the truth, 0 or 1 by row of the common order, int64 (rows,).
        own: own columns in the common order; None if they are not given.
        own_hiddens: hiddens of the attacker's own trained base model in the common order, float (rows, columns); None
            if they are not given.
        flip_probability: probability with which a label that training uses differs from the true one, as the label
            party makes public; 0 without protection.
    """

    secret: str
    gradients: Received
    labels: Ints = field(repr=False)
    own: OwnColumns | None = field(default=None, repr=False)
    own_hiddens: Floats | None = field(default=None, repr=False)
    flip_probability: float = 0.0

    @cached_property
    def positive_is_rarer(self) -> bool:
        """Whether the positive class is the rarer one, which an attacker is taken to know."""
        return float(self.labels.mean()) <= 0.5  # noqa: PLR2004

    @cached_property
    def own_columns_area(self) -> float | None:
        """What own columns alone say of the labels of rows, once the labels of other rows are known."""
        if self.own is None:
            return None
        rows = np.arange(len(self.labels))
        targets = self.labels.astype(np.float64)
        return area_under_curve(cross_fitted_log_odds(self.own, targets, rows), targets)

    def result(
        self, attack: str, attacker_has: str, scores: RowScores, *, reference: str, without_run: float | None
    ) -> AttackResult:
        """The result of an attack that scores rows.

        Args:
            attack: name of the attack.
            attacker_has: what it has besides.
            scores: its scores.
            reference: where it comes from.
            without_run: with the same knowledge and no run.
        """
        return AttackResult(
            secret=self.secret,
            attack=attack,
            attacker_has=attacker_has,
            one_step=scores.one_step,
            all_epochs=scores.all_epochs,
            standard_error=scores.standard_error,
            without_run=without_run,
            reference=reference,
        )

    def area_of(self, scores: Floats, rows: Ints) -> tuple[float, float]:
        """Area and standard error of scores of some rows.

        Args:
            scores: float64 (chosen rows,).
            rows: row numbers of the common order.
        """
        truth = self.labels[rows].astype(np.float64)
        area, positives = area_under_curve(scores, truth), int(truth.sum())
        return area, area_error(area, positives, len(rows) - positives)
