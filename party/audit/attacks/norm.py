"""Labels by the norm of gradients: rows of the rarer class have larger ones."""

from __future__ import annotations

import numpy as np

from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.row_scores import relative_norms, tally
from party.audit.own_columns import Floats
from party.audit.received_batch import ReceivedBatch

CHANCE = 0.5


def norm_attack(material: LabelMaterial) -> AttackResult:
    """Scores rows by the norm of their gradients; the attacker knows which class is rarer, and no label.

    Without a run that knowledge tells no row from another.

    Args:
        material: what a feature party received.

    Reference:
        Li et al., "Label Leakage and Protection in Two-party Split Learning", ICLR 2022, section 3.1.
    """
    sign = 1.0 if material.positive_is_rarer else -1.0

    def score(batch: ReceivedBatch) -> Floats:
        return sign * relative_norms(batch.values.astype(np.float64))

    scores = tally(material.gradients, score, material.labels)
    return material.result(
        "norm", "gradients, which class is rarer", scores, reference="Li et al. 2022, 3.1", without_run=CHANCE
    )
