"""What private labels cost the label party: its processor time per step with two heads, divided by that with one.

Whole runs on MovieLens-100K, each party in a process of its own, with TLS and sealing. The first epoch, which traces
and compiles, is not counted. Processor time, as it does not depend on what else the machine does; on an idle machine
the time between steps grows by less, as the private head works while the label party would wait.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import yaml

from coordinator.exchanges import run_exchanges
from coordinator.traffic import Traffic
from party.security.files import private_folder
from tests.benchmarks.movielens_parties import federation_of, open_run, prepared_parties
from tests.benchmarks.processor_time import ProcessorTime

SEED = 7
LABEL_PARTY = "bob"


class LaterEpochs:
    """Counts from the end of the first epoch on; call it after every batch."""

    def __init__(self, processor: ProcessorTime, steps_per_epoch: int) -> None:
        self._processor = processor
        self._steps_per_epoch = steps_per_epoch
        self.started_seconds = 0.0

    def __call__(self, traffic: Traffic) -> None:
        if traffic.steps == self._steps_per_epoch:
            self._processor.start()
            self.started_seconds = time.perf_counter()


def milliseconds(folder: Path, *, batch_size: int, depth: int, epochs: int, private: bool) -> tuple[float, float]:
    """The label party's processor time per step, and the time between two steps."""
    local = prepared_parties(private_folder(folder), SEED)
    if private:
        data = yaml.safe_load(local.write_party(LABEL_PARTY).read_text(encoding="utf-8"))["data"]
        data["labels"] = {name: {**label, "privacy": {"epsilon": 1.0}} for name, label in data["labels"].items()}
        local.write_party(LABEL_PARTY, data=data)
    training: dict[str, object] = {
        "seed": SEED,
        "epochs": epochs,
        "batch_size": batch_size,
        "validation_fraction": 0.0,
        "remainder": "drop",
        "schedule": {"kind": "pipelined", "depth": depth},
    }
    with local:
        with local.connect() as federation:
            federation.align()
        with federation_of(local, training) as federation, open_run(federation) as session:
            processor = ProcessorTime({LABEL_PARTY: local.processes[LABEL_PARTY].pid})
            steps = session.steps // epochs
            watch = LaterEpochs(processor, steps)
            run_exchanges(session, watch)
            seconds = time.perf_counter() - watch.started_seconds
            processor.stop()
    counted = steps * (epochs - 1)
    return 1000 * processor.seconds[LABEL_PARTY] / counted, 1000 * seconds / counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 1024])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 4], help="Batches under way; 1 is synchronous.")
    arguments = parser.parse_args()
    for batch_size in arguments.batch_sizes:
        for depth in arguments.depths:
            (one, one_step), (two, two_steps) = (
                milliseconds(
                    arguments.folder.resolve() / f"heads-{batch_size}-{depth}-{private}",
                    batch_size=batch_size,
                    depth=depth,
                    epochs=arguments.epochs,
                    private=private,
                )
                for private in (False, True)
            )
            print(
                f"batch {batch_size:>5}, depth {depth}: label party {one:.2f} and {two:.2f} ms of processor time:"
                f" {two / one:.2f} times; between steps {one_step:.2f} and {two_steps:.2f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
