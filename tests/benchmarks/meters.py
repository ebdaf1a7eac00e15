"""What meters cost: processor time by themselves, and throughput of a run that is watched over one that is not.

By themselves: noise in place of gradients and hiddens, one binary label, two binary columns, and the copies that the
tap makes. Two runs of MovieLens-100K then alternate epoch by epoch; the first epoch of each, which compiles, is not
counted.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `party serve` sets it

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from party.audit.meters.column_meters import ColumnMeters
from party.audit.meters.folds import own_row_folds
from party.audit.meters.label_meters import LabelMeters
from party.audit.meters.targets import of_classes
from party.security.files import private_folder
from tests.benchmarks.versions import HERE, EpochProcess

ROWS = 90_000
COLUMNS = 50  # of alice's hiddens in DeepFM: dnn, linear, factor sum and square sum
SEED = 7
EPOCHS = 3
REPEATS = 5


def milliseconds_per_step(meters: LabelMeters | ColumnMeters, batch_size: int) -> float:
    """Processor time of the batches of some epochs, with the readings of all sums at their ends, over their number."""
    generator = np.random.default_rng(SEED)
    order = generator.permutation(ROWS).astype(np.int32)
    steps = ROWS // batch_size * EPOCHS
    last = steps // EPOCHS - 1
    batches = [generator.normal(size=(batch_size, COLUMNS)).astype(np.float32) for _ in range(16)]
    started = time.process_time()
    for step in range(steps):
        place = step % (last + 1)
        rows = order[place * batch_size : (place + 1) * batch_size]
        meters.add(batches[step % len(batches)].copy(), rows, ends_epoch=place == last)
    return 1000 * (time.process_time() - started) / steps


def alone(batch_size: int) -> dict[str, float]:
    """The least of some repetitions, by party."""
    generator = np.random.default_rng(SEED)
    label = of_classes("liked", (generator.random(ROWS) < 0.55).astype(np.int64))
    columns = [of_classes(name, (generator.random(ROWS) < 0.3).astype(np.int64))[0] for name in ("Gender", "Age")]
    folds = own_row_folds(generator.integers(0, 943, (ROWS, 1)).astype(np.int32), np.zeros((ROWS, 0), np.float32))
    makers = {
        "label party": lambda: LabelMeters(label, ROWS, {}),
        "feature party": lambda: ColumnMeters(columns, folds),
    }
    return {
        name: min(milliseconds_per_step(make(), batch_size) for _ in range(REPEATS)) for name, make in makers.items()
    }


def watched_over_not(folder: Path, *, batch_size: int, depth: int, pairs: int) -> tuple[list[float], list[float]]:
    """Throughput with meters over that without, by pair; and the seconds of the epochs without."""
    runs = {
        name: EpochProcess(
            HERE,
            folder / f"{name}-{batch_size}-{depth}",
            batch_size=batch_size,
            depth=depth,
            epochs=pairs + 1,
            flags=flags,
        )
        for name, flags in (("watched", ("--meters",)), ("plain", ()))
    }
    for run in runs.values():
        run.epoch()
    ratios, plain = [], []
    for pair in range(pairs):
        order = ("watched", "plain") if pair % 2 else ("plain", "watched")
        seconds = {name: runs[name].epoch() for name in order}
        ratios.append(seconds["plain"] / seconds["watched"])
        plain.append(seconds["plain"])
    for run in runs.values():
        run.close()
    return ratios, plain


def print_last_readings(folder: Path) -> None:
    """The last line of each measured thing, as the parties wrote them."""
    for path in sorted(folder.rglob("meters.jsonl")):
        last = {(line["of"], line["class"]): line for line in map(json.loads, path.read_text().splitlines())}
        for (name, about), line in last.items():
            values = ", ".join(f"{key} {value:.2f}" for key, value in line.items() if isinstance(value, float))
            print(f"   {line['what']}, {name} ({about}), epoch {line['epoch'] + 1}: {values}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/meters"))
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 1024])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 4], help="Batches under way; 1 is synchronous.")
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    for batch_size in arguments.batch_sizes:
        costs = ", ".join(f"{name} {value:.3f}" for name, value in alone(batch_size).items())
        print(f"batch {batch_size:>5}: ms of processor time per step: {costs}", flush=True)
        for depth in arguments.depths if arguments.pairs else ():
            ratios, plain = watched_over_not(folder, batch_size=batch_size, depth=depth, pairs=arguments.pairs)
            step = 1000 * statistics.median(plain) / (ROWS // batch_size)
            print(
                f"   depth {depth}: throughput with meters over without {statistics.median(ratios):.3f}"
                f" [{min(ratios):.2f} to {max(ratios):.2f}] over {len(ratios)} pairs; a step of {step:.2f} ms",
                flush=True,
            )
    print_last_readings(folder)


if __name__ == "__main__":
    main()
