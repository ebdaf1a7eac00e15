"""Training with masked sums beside training without: throughput, processor time, and test AUC on MovieLens-100K.

The columns of users are split between two feature parties. Epochs of the two runs alternate, each with parties of its
own, and so does which one is first; the first epoch of each, which traces and compiles, is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from pathlib import Path
from queue import SimpleQueue

import pandas as pd

from coordinator.exchanges import run_exchanges
from coordinator.local_federation import LocalFederation
from coordinator.traffic import Traffic
from deploy.demo.scenarios import DEEPFM
from deploy.movielens import prepare
from party.security.files import private_folder
from tests.benchmarks.movielens_parties import federation_of, open_run
from tests.benchmarks.networks import measure
from tests.benchmarks.processor_time import ProcessorTime

SPLIT = {"alice": ("UserID", "Gender"), "charlie": ("Age", "Occupation", "Zip-code")}
LABEL_PARTY = "bob"
DATASETS = ("train", "test")
KINDS = {"masked": True, "unmasked": False}
WANTED_RATIO = 0.85


def three_parties(folder: Path, source: Path, seed: int) -> LocalFederation:
    """Two parties with the columns of users, one with films and ratings; not started."""
    users = {one: pd.read_csv(source / "alice" / f"{one}.csv", dtype=str, keep_default_na=False) for one in DATASETS}
    parties: dict[str, dict[str, object]] = {
        LABEL_PARTY: {
            "frames": {one: source / LABEL_PARTY / f"{one}.csv" for one in DATASETS},
            "features": DEEPFM.companies[LABEL_PARTY].features,
            "labels": DEEPFM.labels,
        }
    }
    for name, columns in SPLIT.items():
        parties[name] = {
            "frames": {one: frame[["ID", *columns]] for one, frame in users.items()},
            "features": [one for one in DEEPFM.companies["alice"].features if one["column"] in columns],
        }
    return LocalFederation(folder, parties, training={"dataset": "train", "seed": seed})


class EpochsInTurn:
    """A run that trains an epoch whenever it is asked to.

    Args:
        local: its parties, started and aligned.
        training: keys of its training section.
    """

    def __init__(self, local: LocalFederation, training: dict[str, object]) -> None:
        self._local, self._training = local, training
        self._go: SimpleQueue[None] = SimpleQueue()
        self._done: SimpleQueue[float] = SimpleQueue()
        self._steps = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.processor = ProcessorTime({name: process.pid for name, process in local.processes.items()})

    def epoch(self) -> float:
        """Trains an epoch; returns its duration in seconds."""
        self._go.put(None)
        return self._done.get()

    def close(self) -> None:
        """Ends the run after its last epoch."""
        self._go.put(None)
        self._thread.join()

    def _run(self) -> None:
        with federation_of(self._local, self._training) as federation, open_run(federation) as session:
            self._steps = session.steps // int(str(self._training["epochs"]))
            self._await_turn()
            run_exchanges(session, self._after_batch)

    def _after_batch(self, traffic: Traffic) -> None:
        if traffic.steps % self._steps == 0:
            self._done.put(time.perf_counter() - self._started_seconds)
            self._await_turn()

    def _await_turn(self) -> None:
        self._go.get()
        self._started_seconds = time.perf_counter()


def compare(locals_: dict[str, LocalFederation], training: dict[str, object], pairs: int) -> None:
    """Prints throughput and processor time of both kinds of runs."""
    runs = {
        kind: EpochsInTurn(locals_[kind], {**training, "epochs": pairs + 1, "secure_aggregation": masked})
        for kind, masked in KINDS.items()
    }
    for run in runs.values():
        run.epoch()
    ratios = []
    for pair in range(pairs):
        seconds = {}
        for kind in sorted(KINDS, reverse=bool(pair % 2)):
            runs[kind].processor.start()
            seconds[kind] = runs[kind].epoch()
            runs[kind].processor.stop()
        ratios.append(seconds["unmasked"] / seconds["masked"])
    for run in runs.values():
        run.close()
    work = {kind: sum(run.processor.seconds.values()) for kind, run in runs.items()}
    print(
        f"batch {training['batch_size']:>5}: throughput masked over unmasked {statistics.median(ratios):.3f}"
        f" [{min(ratios):.2f} to {max(ratios):.2f}] over {pairs} pairs, wanted {WANTED_RATIO}; processor time of the"
        f" parties {work['masked'] / work['unmasked']:.3f} times",
        flush=True,
    )


def print_quality(locals_: dict[str, LocalFederation], epochs: int) -> None:
    """Prints the test AUC of both kinds of runs."""
    for kind, masked in KINDS.items():
        training = {"epochs": epochs, "validation_fraction": 0.05, "secure_aggregation": masked}
        with federation_of(locals_[kind], training) as federation:
            print(f"  test AUC {kind} {measure(federation).test_auc:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--batch-sizes", type=int, nargs="*", default=[1024])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--quality-epochs", type=int, default=3, help="Epochs of the runs whose AUC is printed.")
    arguments = parser.parse_args()
    root = private_folder(arguments.folder.resolve())
    for seed in arguments.seeds:
        print(f"seed {seed}", flush=True)
        folder = private_folder(root / f"masks-{seed}")
        source = private_folder(folder / "source")
        prepare(None, source, seed=seed, test_fraction=0.1, rows=None, cache=root / "cache")
        kinds = {kind: three_parties(private_folder(folder / kind), source, seed) for kind in KINDS}
        with kinds["masked"], kinds["unmasked"]:
            for local in kinds.values():
                with local.connect() as federation:
                    federation.align()
            for batch_size in arguments.batch_sizes:
                compare(
                    kinds, {"batch_size": batch_size, "validation_fraction": 0.0, "remainder": "drop"}, arguments.pairs
                )
            print_quality(kinds, arguments.quality_epochs)


if __name__ == "__main__":
    main()
