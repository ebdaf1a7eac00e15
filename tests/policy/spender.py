"""A process that charges and then releases, as fast as it can; for a test that kills it."""

import random
import sys
from functools import partial
from pathlib import Path

from party.errors import PolicyError
from tests.support.forks import fork_on_demand, say
from tests.support.spending import SpendingOwner, labels_charge

LARGEST_GENERATION = 40
THOUSANDTHS = 100


def spend(folder, budget, seed):
    """Begins with the ledger on disk, and says of each release that it was made, after the charge."""
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


if __name__ == "__main__":
    fork_on_demand(partial(spend, Path(sys.argv[1]), float(sys.argv[2])))
