"""Throughput of this checkout divided by that of another one, from epochs that alternate in one run.

Both checkouts need `tests/benchmarks/epoch_process.py`. Each trains with its own code, its own parties and its own
folder. The first epoch of each, which traces and compiles, is not counted. The checkout that goes first alternates
from pair to pair. Give this checkout as the other one to see the noise of the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


class EpochProcess:
    """A split run with the code of one checkout, one epoch at a time on demand."""

    def __init__(
        self, checkout: Path, folder: Path, *, batch_size: int, depth: int, epochs: int, flags: Sequence[str] = ()
    ) -> None:
        options = {"--batch-size": batch_size, "--depth": depth, "--epochs": epochs}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks.epoch_process", str(folder)),
                *(str(part) for option in options.items() for part in option),
                *flags,
            ],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def epoch(self) -> float:
        """Trains an epoch; returns its duration in seconds."""
        self._process.stdin.write("epoch\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """Ends the run after its last epoch."""
        self._process.stdin.close()
        self._process.wait()


def measure(other: Path, folder: Path, *, batch_size: int, depth: int, pairs: int) -> list[float]:
    """Returns the throughput of this checkout divided by that of the other one, by pair."""
    versions = {
        name: EpochProcess(
            checkout, folder / f"{name}-{batch_size}-{depth}", batch_size=batch_size, depth=depth, epochs=pairs + 1
        )
        for name, checkout in (("this", HERE), ("other", other))
    }
    for version in versions.values():
        version.epoch()
    ratios = []
    for pair in range(pairs):
        order = ("this", "other") if pair % 2 else ("other", "this")
        seconds = {name: versions[name].epoch() for name in order}
        ratios.append(seconds["other"] / seconds["this"])
    for version in versions.values():
        version.close()
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="The checkout to compare with.")
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 1024])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 4], help="Batches under way; 1 is synchronous.")
    arguments = parser.parse_args()
    for batch_size in arguments.batch_sizes:
        for depth in arguments.depths:
            ratios = measure(
                arguments.other.resolve(),
                arguments.folder.resolve(),
                batch_size=batch_size,
                depth=depth,
                pairs=arguments.pairs,
            )
            print(
                f"batch {batch_size:>5}, depth {depth}: this over other {statistics.median(ratios):.3f}"
                f" [{min(ratios):.2f} to {max(ratios):.2f}] over {len(ratios)} pairs",
                flush=True,
            )


if __name__ == "__main__":
    main()
