"""A party that is killed at any instant has charged at least what it released, and never more than its budget."""

import os
import random
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from party.ledger.account import as_written
from tests.support.spending import SpendingOwner

SPENDER = "tests.policy.spender"
ROOT = Path(__file__).parents[2]
KILLS = 100
MOST_LINES = 3  # that are read before a kill
MOST_TURNS = 20_000  # of an empty loop between the last line and the kill: a session takes about as long
BUDGET = 1.5  # all that is asked for would cost 40 generations of at most 0.1


class Spender:
    """The process, and what it said."""

    def __init__(self, folder, budget):
        command = [sys.executable, "-m", SPENDER, str(folder), str(budget)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.released = {}
        self.refusals = 0

    def kill_one(self, generator):
        """Starts a party and kills it after some of its lines, wherever it then is."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        child = None
        lines = generator.randint(0, MOST_LINES)
        while child is None or lines > 0:
            word, *rest = self.process.stdout.readline().split()
            if word == "started":
                child = int(rest[0])
            else:
                self.hear(word, *rest)
                lines -= 1
        for _ in range(generator.randrange(MOST_TURNS)):
            pass
        os.kill(child, signal.SIGKILL)
        while (words := self.process.stdout.readline().split()) != ["ended"]:
            self.hear(*words)

    def hear(self, word, *rest):
        if word == "refused":
            self.refusals += 1
            return
        generation, epsilon = int(rest[0]), as_written(float(rest[1]))
        self.released[generation] = max(epsilon, self.released.get(generation, epsilon))

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.mark.parametrize(("budget", "is_reached"), [(1000.0, False), (BUDGET, True)])
def test_killed_at_random_instants_it_has_charged_what_it_released(tmp_path, budget, is_reached):
    spender, generator = Spender(tmp_path, budget), random.Random(7)
    try:
        for _ in range(KILLS // 2):
            spender.kill_one(generator)
    finally:
        spender.close()
    owner = SpendingOwner(tmp_path, {"epsilon": budget})
    charged = owner.account().generations("labels")
    owner.ledger.close()
    assert spender.released, "a test in which nothing was released shows nothing"
    assert all(charged[generation] >= epsilon for generation, epsilon in spender.released.items())
    assert sum(spender.released.values(), Fraction()) <= sum(charged.values(), Fraction()) <= as_written(budget)
    assert (spender.refusals > 0) == is_reached
