"""A process that charges and then releases, as fast as it can; for a test that kills it.

It imports everything once. For each line that it reads, it forks a party that begins with the ledger on disk: the fork
writes its process id, and then a line for each release, after the charge and before the end of its session.
"""

import os
import random
import sys
from pathlib import Path

from party.errors import PolicyError
from tests.support.spending import SpendingOwner, labels_charge

LARGEST_GENERATION = 40
THOUSANDTHS = 100


def say(*words):
    """Writes a line in one call, so that a kill leaves all of it or nothing."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())


def spend_on(folder, budget, seed):
    """Grants one session after the other until it is killed; a refused one releases nothing."""
    generator = random.Random(seed)
    owner = SpendingOwner(folder, {"epsilon": budget})
    while True:
        epsilon = generator.randint(1, THOUSANDTHS) / 1000
        generation = generator.randint(1, LARGEST_GENERATION)
        try:
            grant = owner.reserve(labels_charge(epsilon, generation))
        except PolicyError:
            say("refused")
            continue
        grant.agreed()
        say("released", generation, epsilon)
        grant.ended("completed", {"gradients": 10})


def main(folder, budget):
    for seed, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            spend_on(folder, budget, seed)
        say("started", child)
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
