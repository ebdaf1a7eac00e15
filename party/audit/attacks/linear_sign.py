"""Labels by the sign of the gradient of a hidden that is added to the logit."""

from __future__ import annotations

import numpy as np

from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.norm import CHANCE
from party.audit.attacks.row_scores import relative, tally
from party.audit.own_columns import Floats
from party.audit.received_batch import ReceivedBatch

LINEAR = "linear"


def linear_sign_attack(material: LabelMaterial) -> AttackResult | None:
    """Scores rows by the gradient of their linear term, p - y: above zero for one class, below for the other.

    No label is known: that the term is added to the logit orients the scores.

    Args:
        material: what a feature party received.

    Returns:
        The result; None if the model has no linear term at the cut.

    Reference:
        Derivative of the logistic loss by the logit; DeepFM adds the linear terms of all parties.
    """
    columns = material.gradients.header.columns_of(LINEAR)
    if columns is None:
        return None

    def score(batch: ReceivedBatch) -> Floats:
        return relative(-batch.values[:, columns].astype(np.float64).sum(axis=1))

    scores = tally(material.gradients, score, material.labels)
    return material.result(
        "sign", "gradients of the linear term", scores, reference="derivative of the loss", without_run=CHANCE
    )
