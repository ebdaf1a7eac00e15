"""The coordinator: what sizes and times of the messages that it relays say about the labels of a batch."""

from __future__ import annotations

import numpy as np

from party.audit.attacks.attack_result import AttackResult, area_error
from party.audit.attacks.norm import CHANCE
from party.audit.linear_models import fit_ridge
from party.audit.own_columns import Floats
from party.metrics.area_under_curve import area_under_curve

RIDGE_PENALTY = 1.0
BATCH_LABELS = "labels of a batch"


def relayed_messages_attack(observed: Floats, shares: Floats) -> AttackResult:
    """Tells batches with many positive rows from those with few, by what the coordinator observes of each.

    The coordinator is given the shares of every second batch, which it does not have: they fit and orient the scores
    that are judged on the other batches.

    Args:
        observed: figures of each batch, such as bytes and seconds, float64 (batches, figures).
        shares: share of positive rows in each batch, float64 (batches,).

    Reference:
        Traffic analysis: length and timing as in Chen et al., "Side-Channel Leaks in Web Applications", S&P 2010.
    """
    many = (shares > np.median(shares)).astype(np.float64)
    scores = np.zeros(len(many))
    halves = np.arange(len(many)) % 2
    for half in (0, 1):
        model = fit_ridge(observed[halves != half], many[halves != half], RIDGE_PENALTY)
        scores[halves == half] = model.scores(observed[halves == half])
    area, positives = area_under_curve(scores, many), int(many.sum())
    return AttackResult(
        secret=BATCH_LABELS,
        attack="sizes and times",
        attacker_has="relayed messages, shares of half of the batches",
        one_step=None,
        all_epochs=area,
        standard_error=area_error(area, positives, len(many) - positives),
        without_run=CHANCE,
        reference="Chen et al. 2010",
    )
