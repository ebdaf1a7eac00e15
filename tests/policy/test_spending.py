"""A party that is killed at any instant has charged at least what it released, and never more than its budget."""

import random
from fractions import Fraction

import pytest

from party.ledger.account import as_written
from tests.support.forks import Forks
from tests.support.spending import SpendingOwner

KILLS = 100
MOST_LINES = 3  # that are heard before a kill
AMPLE, TIGHT = 1000.0, 1.5  # all that is asked for would cost 40 generations of at most 0.1


@pytest.mark.parametrize(("budget", "is_reached"), [(AMPLE, False), (TIGHT, True)])
def test_killed_at_random_instants_it_has_charged_what_it_released(tmp_path, budget, is_reached):
    generator, heard = random.Random(7), []
    with Forks("tests.policy.spender", tmp_path, budget) as forks:
        for _ in range(KILLS // 2):
            heard += forks.kill_one(generator, generator.randint(0, MOST_LINES))
    released = {}
    for word, *rest in heard:
        if word == "released":
            generation, epsilon = int(rest[0]), as_written(float(rest[1]))
            released[generation] = max(epsilon, released.get(generation, epsilon))
    owner = SpendingOwner(tmp_path, {"epsilon": budget})
    charged = owner.account().generations("labels")
    owner.ledger.close()
    assert released, "a test in which nothing was released shows nothing"
    assert all(charged[generation] >= epsilon for generation, epsilon in released.items())
    assert sum(released.values(), Fraction()) <= sum(charged.values(), Fraction()) <= as_written(budget)
    assert (["refused"] in heard) == is_reached
