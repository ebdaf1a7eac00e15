"""Labels by the posterior that adds own columns to what gradients say."""

from __future__ import annotations

import numpy as np

from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.row_scores import RowScores
from party.audit.linear_models import cross_fitted_log_odds, sigmoid
from party.audit.own_columns import Floats

LEAST_FLIP = 1e-6  # taken for the probability of a wrong label where the label party names none
LEAST_PROBABILITY = 1e-3


def posterior_attack(material: LabelMaterial, gradients: RowScores) -> AttackResult | None:
    """Combines the labels that gradients give away with a model of own columns, by Bayes' rule.

    The sign of the summed score is taken for the label that training used. It differs from the true one with a
    probability that the label party makes public, so that a model of own columns which was fitted on these labels can
    be corrected for it. No true label is known.

    Args:
        material: what a feature party received and has.
        gradients: oriented scores of another attack that knows no label; their sign separates the classes.

    Returns:
        The result; None if own columns are not given. Without a run, a model of own columns that was fitted on true
        labels of other rows.

    Reference:
        Bayes' rule with the likelihood of randomised response: Warner 1965.
    """
    own, rows = material.own, gradients.seen
    if own is None:
        return None
    flip = max(material.flip_probability, LEAST_FLIP)
    read = (gradients.sums > 0).astype(np.float64)
    drawn = sigmoid(cross_fitted_log_odds(own, read, rows))
    true = np.clip((drawn - flip) / (1 - 2 * flip), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    evidence = (2 * read[rows] - 1) * np.log((1 - flip) / flip)
    scores: Floats = evidence + np.log(true / (1 - true))
    area, error = material.area_of(scores, rows)
    return AttackResult(
        secret=material.secret,
        attack="posterior",
        attacker_has="gradients, own columns, the flip probability",
        one_step=None,
        all_epochs=area,
        standard_error=error,
        without_run=material.own_columns_area,
        reference="Warner 1965",
    )
