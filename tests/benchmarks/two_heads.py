"""What private labels cost the label party: its processor time per step with two heads, divided by that with one.

Whole runs on MovieLens-100K, each party in a process of its own, with TLS and sealing. Two federations, one of them
with private labels, train an epoch each in turn; the ratio is that of two epochs in sequence, the median over all
pairs. The first epoch of each, which traces and compiles, is not counted. Processor time, as it depends least on what
else the machine does.
"""

from __future__ import annotations

import argparse
import statistics
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from coordinator.exchanges import run_exchanges
from coordinator.local_federation import LocalFederation
from coordinator.traffic import Traffic
from party.security.files import private_folder
from tests.benchmarks.movielens_parties import federation_of, open_run, prepared_parties
from tests.benchmarks.processor_time import processor_seconds

SEED = 7
LABEL_PARTY = "bob"


@dataclass
class Turn:
    """The turns of one federation; call it after every batch.

    Attributes:
        may_train: released when its next epoch may begin.
        other_may_train: the same of the other federation.
        process: number of the label party's process.
        steps_per_epoch: number of training steps in an epoch.
        milliseconds: the label party's processor time per step, by epoch.
    """

    may_train: threading.Semaphore
    other_may_train: threading.Semaphore
    process: int = 0
    steps_per_epoch: int = 0
    milliseconds: list[float] = field(default_factory=list)
    _started_seconds: float = 0.0

    def begin(self) -> None:
        """Waits for the turn."""
        self.may_train.acquire()
        self._started_seconds = processor_seconds(self.process)

    def __call__(self, traffic: Traffic) -> None:
        if traffic.steps % self.steps_per_epoch == 0:
            seconds = processor_seconds(self.process) - self._started_seconds
            self.milliseconds.append(1000 * seconds / self.steps_per_epoch)
            self.other_may_train.release()
            self.begin()


def train(local: LocalFederation, turn: Turn, training: dict[str, object], epochs: int) -> None:
    """Trains one federation, an epoch whenever it is its turn."""
    with federation_of(local, training) as federation, open_run(federation) as session:
        turn.process = local.processes[LABEL_PARTY].pid
        turn.steps_per_epoch = session.steps // epochs
        turn.begin()
        run_exchanges(session, turn)
    turn.other_may_train.release()


def with_private_labels(local: LocalFederation) -> LocalFederation:
    data = yaml.safe_load(local.write_party(LABEL_PARTY).read_text(encoding="utf-8"))["data"]
    data["labels"] = {name: {**label, "privacy": {"epsilon": 1.0}} for name, label in data["labels"].items()}
    local.write_party(LABEL_PARTY, data=data)
    return local


def measure(folder: Path, *, batch_size: int, depth: int, pairs: int) -> tuple[list[float], list[float]]:
    """The label party's processor time per step with one head, and with two, by epoch."""
    training: dict[str, object] = {
        "seed": SEED,
        "epochs": pairs + 1,
        "batch_size": batch_size,
        "validation_fraction": 0.0,
        "remainder": "drop",
        "schedule": {"kind": "pipelined", "depth": depth},
    }
    first, second = threading.Semaphore(1), threading.Semaphore(0)
    one, two = Turn(first, second), Turn(second, first)
    places = [private_folder(folder / f"heads-{batch_size}-{depth}-{heads}") for heads in ("one", "two")]
    with prepared_parties(places[0], SEED) as exact, with_private_labels(prepared_parties(places[1], SEED)) as private:
        for local in (exact, private):
            with local.connect() as federation:
                federation.align()
        with ThreadPoolExecutor(2) as threads:
            runs = [threads.submit(train, *given, training, pairs + 1) for given in ((exact, one), (private, two))]
            for run in runs:
                run.result()
    return one.milliseconds[1:], two.milliseconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 1024])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 4], help="Batches under way; 1 is synchronous.")
    arguments = parser.parse_args()
    for batch_size in arguments.batch_sizes:
        for depth in arguments.depths:
            one, two = measure(
                private_folder(arguments.folder.resolve()), batch_size=batch_size, depth=depth, pairs=arguments.pairs
            )
            ratios = [private / exact for exact, private in zip(one, two, strict=True)]
            print(
                f"batch {batch_size:>5}, depth {depth}: label party {statistics.median(one):.2f} and"
                f" {statistics.median(two):.2f} ms of processor time per step: {statistics.median(ratios):.2f} times"
                f" ({min(ratios):.2f} to {max(ratios):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
