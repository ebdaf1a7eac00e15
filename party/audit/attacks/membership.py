"""Membership by invented ids: the rows in common tell which of the attacker's guesses the peer holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from party.audit.attacks.attack_result import AttackResult, area_error
from party.audit.attacks.norm import CHANCE
from party.metrics.area_under_curve import area_under_curve

MEMBERSHIP = "membership"


def membership_attack(guesses: Sequence[str], common: Collection[str], members: Collection[str]) -> AttackResult:
    """Judges the guesses that an alignment returned: an attacker puts ids of its choice into its own file.

    No protection of this product hides membership: the parties must know the rows that they train on together.

    Args:
        guesses: ids that the attacker invented.
        common: sample ids in common, as its own alignment holds them.
        members: ids that the peer truly holds, for the judgement.

    Reference:
        The purpose of set intersection; De Cristofaro and Tsudik, FC 2010, name it as what remains.
    """
    found, true = set(common), set(members)
    scores = np.array([one in found for one in guesses], np.float64)
    truth = np.array([one in true for one in guesses], np.float64)
    area, positives = area_under_curve(scores, truth), int(truth.sum())
    return AttackResult(
        secret=MEMBERSHIP,
        attack="invented ids",
        attacker_has=f"{len(guesses)} guessed ids",
        one_step=area,
        all_epochs=area,
        standard_error=area_error(area, positives, len(guesses) - positives),
        without_run=CHANCE,
        reference="the purpose of set intersection",
    )
