"""Columns by an active head: a label party that trains on the secret of known rows in place of its label."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from party.audit.attacks.attack_result import AttackResult, area_error
from party.audit.attacks.column_material import ColumnMaterial
from party.audit.attacks.entity_scores import EntityHiddens
from party.audit.attacks.probe import judged_probe
from party.audit.own_columns import Ints


@dataclass(frozen=True, eq=False)
class CraftedLabels:
    """What a lying label party puts into its own file.

    Attributes:
        labels: 0 or 1 by row, int64 (rows,).
        weights: weight of each row in the loss, float64 (rows,); 0 where the secret is not known.
    """

    labels: Ints = field(repr=False)
    weights: NDArray[np.float64] = field(repr=False)


def crafted_labels(secret: Ints, entities: Ints, known: Ints) -> CraftedLabels:
    """The labels and weights that make a run train for a secret: no code of the party has to be changed.

    Rows of other entities get a weight of 0, so that no gradient of theirs says anything.

    Args:
        secret: 0 or 1 by row; that of unknown entities is not read, int64 (rows,).
        entities: entity of each row, int64 (rows,).
        known: entities whose secret is known.
    """
    is_known = np.isin(entities, known)
    labels = np.where(is_known, secret, np.arange(len(secret)) % 2)  # a file needs rows of both classes
    return CraftedLabels(labels, is_known.astype(np.float64))


def active_head_attack(material: ColumnMaterial, secret: str, known: Ints) -> AttackResult:
    """Reads a secret off the hiddens of a run whose gradients were those of a head for it.

    The known entities, which the head was trained on, orient the scores. Without a run, the same entities fit a model
    of the attacker's own columns.

    Args:
        material: what the label party received in such a run.
        secret: name of the secret.
        known: entities that the labels were crafted from.

    Reference:
        Pasquini et al., "Unleashing the Tiger: Inference Attacks on Split Learning", CCS 2021, which steers the
        client's model by crafted gradients; here to an attribute.
    """
    hiddens = EntityHiddens(material.hiddens, material.entities)
    known = np.intersect1d(known, hiddens.present)
    last, every, without, positives = judged_probe(material, hiddens, secret, known)
    count = len(hiddens.present) - len(known)
    return AttackResult(
        secret=secret,
        attack="active head",
        attacker_has=f"hiddens, {len(known)} known, gradients of its choice",
        one_step=last,
        all_epochs=every,
        standard_error=area_error(every, positives, count - positives),
        without_run=without,
        reference="Pasquini et al. 2021",
    )
