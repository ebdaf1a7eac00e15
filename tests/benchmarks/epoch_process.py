"""A split run that trains an epoch and prints its seconds for every line that it reads; the first one compiles."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from coordinator.exchanges import run_exchanges
from coordinator.traffic import Traffic
from party.security.files import private_folder
from tests.benchmarks.movielens_parties import federation_of, movielens_parties, open_run

SEED = 7
METERS = {"alice": {"columns": ["Gender", "Age"]}, "bob": {"labels": True}}


class EpochOnDemand:
    """Waits for a line before every epoch; call it after every batch.

    Args:
        steps_per_epoch: number of training steps in an epoch.
    """

    def __init__(self, steps_per_epoch: int) -> None:
        self._steps_per_epoch = steps_per_epoch
        self._started_seconds = 0.0

    def start(self) -> None:
        """Waits for the line of the next epoch, if there is one, and starts its clock."""
        sys.stdin.readline()
        self._started_seconds = time.perf_counter()

    def __call__(self, traffic: Traffic) -> None:
        if traffic.steps % self._steps_per_epoch == 0:
            print(time.perf_counter() - self._started_seconds, flush=True)
            self.start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--meters", action="store_true", help="Both parties watch what leaves.")
    arguments = parser.parse_args()
    training: dict[str, object] = {
        "seed": SEED,
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "validation_fraction": 0.0,
        "remainder": "drop",
        "schedule": {"kind": "pipelined", "depth": arguments.depth},
    }
    with (
        movielens_parties(
            private_folder(arguments.folder.resolve()), SEED, meters=METERS if arguments.meters else {}
        ) as parties,
        federation_of(parties, training) as federation,
        open_run(federation) as session,
    ):
        epochs = EpochOnDemand(session.steps // arguments.epochs)
        epochs.start()
        run_exchanges(session, epochs)


if __name__ == "__main__":
    main()
