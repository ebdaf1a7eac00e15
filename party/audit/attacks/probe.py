"""Columns by a probe: a linear score of hiddens, fitted on a few entities whose column is known."""

from __future__ import annotations

import numpy as np

from party.audit.attacks.attack_result import AttackResult, area_error
from party.audit.attacks.column_material import ColumnMaterial
from party.audit.attacks.entity_scores import EntityHiddens, Probe
from party.audit.linear_models import fit_logistic
from party.audit.own_columns import Floats, Ints
from party.metrics.area_under_curve import area_under_curve

KNOWN_ENTITIES = (20, 50, 200)
DRAWS = 5  # the attack is repeated with other known entities; the mean result is told


def probe_attacks(material: ColumnMaterial, seed: int = 0) -> list[AttackResult]:
    """Fits a linear score on 20, 50 and 200 known entities, and judges it on all others.

    The known entities orient the scores. Without a run, the same entities fit a model of the attacker's own columns.

    Args:
        material: what the label party received and has.
        seed: of the choice of known entities.

    Returns:
        A result for each secret and number of known entities that leaves others to judge by.

    Reference:
        Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016; as an attack on
        split learning, Song and Shmatikov, "Overlearning Reveals Sensitive Attributes", ICLR 2020.
    """
    hiddens = EntityHiddens(material.hiddens, material.entities)
    present = hiddens.present
    sizes = [size for size in KNOWN_ENTITIES if 2 * size <= len(present)]
    return [
        result
        for secret in material.secrets
        for size in sizes
        if (result := _probe(material, hiddens, secret, _draws(present, size, seed))) is not None
    ]


def judged_probe(
    material: ColumnMaterial, hiddens: EntityHiddens, secret: str, known: Ints
) -> tuple[float, float, float | None, int]:
    """Areas over the entities that are not known.

    Args:
        material: what the label party received and has.
        hiddens: its hiddens by entity.
        secret: name of the secret.
        known: entities whose secret is known, of both classes.

    Returns:
        The area with the last epoch, with all epochs, and with own columns alone (None if they are not given); the
        number of positive entities among those judged.
    """
    truth, others = material.by_entity(secret), np.setdiff1d(hiddens.present, known)
    targets, judged = truth[known].astype(np.float64), truth[others].astype(np.float64)
    scores = hiddens.scores([Probe(known, targets, True), Probe(known, targets, False)])[others]
    own = _own_columns_scores(material, known, targets)
    without = None if own is None else area_under_curve(own[others], judged)
    last, every = (area_under_curve(scores[:, place], judged) for place in (0, 1))
    return last, every, without, int(judged.sum())


def _draws(present: Ints, size: int, seed: int) -> list[Ints]:
    draws = (np.random.default_rng((seed, size, draw)).permutation(present)[:size] for draw in range(DRAWS))
    return [np.sort(one) for one in draws]


def _probe(material: ColumnMaterial, hiddens: EntityHiddens, secret: str, draws: list[Ints]) -> AttackResult | None:
    truth = material.by_entity(secret)
    usable = [known for known in draws if 0 < truth[known].sum() < len(known)]
    if not usable or not 0 < truth[hiddens.present].sum() < len(hiddens.present):
        return None
    found = [judged_probe(material, hiddens, secret, known) for known in usable]
    area, size = float(np.mean([one[1] for one in found])), len(usable[0])
    positives, count = found[0][3], len(hiddens.present) - size
    owns = [one[2] for one in found if one[2] is not None]
    return AttackResult(
        secret=secret,
        attack="probe",
        attacker_has=f"hiddens, {size} known",
        one_step=float(np.mean([one[0] for one in found])),
        all_epochs=area,
        standard_error=area_error(area, positives, count - positives),
        without_run=float(np.mean(owns)) if owns else None,
        reference="Song and Shmatikov 2020",
    )


def _own_columns_scores(material: ColumnMaterial, known: Ints, targets: Floats) -> Floats | None:
    """Mean log odds of each entity from a model of own columns, fitted on the rows of known entities."""
    if material.own is None:
        return None
    by_entity = np.full(material.entity_count, np.nan)
    by_entity[known] = targets
    rows = np.flatnonzero(~np.isnan(by_entity[material.entities]))
    log_odds = fit_logistic(material.own.take(rows), by_entity[material.entities[rows]]).log_odds(material.own)
    sums = np.bincount(material.entities, log_odds, minlength=material.entity_count)
    means: Floats = sums / np.maximum(np.bincount(material.entities, minlength=material.entity_count), 1)
    return means
