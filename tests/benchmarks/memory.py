"""What stays in each party's memory over a long run, with and without many batches under way and local updates.

Every variant trains in fresh processes. Resident memory is read from the
kernel every so many steps; training has no held-out rows, so that every step
is the same.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from coordinator.exchanges import run_exchanges
from coordinator.local_federation import LocalFederation
from coordinator.traffic import Traffic
from party.security.files import private_folder, write_atomically
from tests.benchmarks.movielens_parties import federation_of, movielens_parties, open_run

SEED = 7
BATCH_SIZE = 128
STEPS_PER_EPOCH = 600  # at least
ALLOWED_MEGABYTES = 300.0
ALLOWED_GROWTH_MEGABYTES = 50.0  # from the settled state to the end; the kernel's own count moves by some
SETTLED_SHARE = 4  # of all steps, one part in so many, and at least:
SETTLED_STEPS = 1000
PLAIN = "synchronous"
DEPTH = {"schedule": {"kind": "pipelined", "depth": 16}}
LOCAL = {"local_updates": {"steps": 2, "window": 5, "uses": 5, "minimum_cosine": 0.5}}
VARIANTS: dict[str, dict[str, object]] = {
    PLAIN: {},
    "pipelined-16": DEPTH,
    "local": LOCAL,
    "pipelined-16-local": {**DEPTH, **LOCAL},
}
Curve = list[tuple[int, float]]


class MemoryWatch:
    """Notes the resident megabytes of every party every so many steps."""

    def __init__(self, parties: LocalFederation, every_steps: int) -> None:
        self._processes = {name: process.pid for name, process in parties.processes.items()}
        self._every_steps = every_steps
        self.curves: dict[str, Curve] = {name: [] for name in self._processes}
        self.note(0)

    def __call__(self, traffic: Traffic) -> None:
        if traffic.steps % self._every_steps == 0:
            self.note(traffic.steps)

    def note(self, step: int) -> None:
        for name, process in self._processes.items():
            self.curves[name].append((step, resident_megabytes(process)))


def resident_megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


def measure(folder: Path, variant: dict[str, object], steps: int, every_steps: int) -> dict[str, Curve]:
    """Megabytes by party, from before the session until after the last step."""
    with movielens_parties(folder, SEED) as parties:
        training = {
            "seed": SEED,
            "batch_size": BATCH_SIZE,
            "validation_fraction": 0.0,
            "remainder": "drop",
            "epochs": steps // STEPS_PER_EPOCH + 1,
            "maximum_steps": steps,
            **variant,
        }
        with federation_of(parties, training) as federation:
            watch = MemoryWatch(parties, every_steps)
            with open_run(federation) as session:
                run_exchanges(session, watch)
            return watch.curves


def summary(curve: Curve, steps: int) -> dict[str, float]:
    """Megabytes at certain steps, and how much they grew once everything was there."""
    settled_step = max(SETTLED_STEPS, steps // SETTLED_SHARE)
    trained = [(step, megabytes) for step, megabytes in curve if step > 0]
    settled = [megabytes for step, megabytes in trained if step >= settled_step] or [trained[-1][1]]
    return {
        "start": curve[0][1],
        "after_1000_steps": next((one for step, one in trained if step >= SETTLED_STEPS), trained[-1][1]),
        "maximum": max(megabytes for _, megabytes in curve),
        "end": curve[-1][1],
        "growth": settled[-1] - settled[0],
    }


def print_summaries(summaries: dict[str, dict[str, dict[str, float]]]) -> None:
    print(
        f"\n{'resident megabytes':<32} {'start':>8} {'1,000':>8} {'maximum':>8} {'end':>8} {'growth':>8} {'- plain':>8}"
    )
    for variant, by_party in summaries.items():
        for party, one in by_party.items():
            difference = one["maximum"] - summaries[PLAIN][party]["maximum"]
            within = difference <= ALLOWED_MEGABYTES and one["growth"] <= ALLOWED_GROWTH_MEGABYTES
            print(
                f"{variant + ', ' + party:<32} {one['start']:>8.1f} {one['after_1000_steps']:>8.1f}"
                f" {one['maximum']:>8.1f} {one['end']:>8.1f} {one['growth']:>+8.1f} {difference:>+8.1f}"
                f"  {'within' if within else 'beyond'} the bars"
            )
    print(
        f"growth: from a quarter of the run on (step {SETTLED_STEPS:,} at the earliest); allowed"
        f" {ALLOWED_GROWTH_MEGABYTES:g}. - plain: of the maximum; allowed {ALLOWED_MEGABYTES:g}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--every-steps", type=int, default=100, help="Between two looks at the memory.")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    curves: dict[str, dict[str, Curve]] = {}
    for name in [PLAIN, *(name for name in arguments.variants if name != PLAIN)]:
        print(f"{name}: {arguments.steps:,} steps of {BATCH_SIZE} rows", file=sys.stderr, flush=True)
        curves[name] = measure(folder, VARIANTS[name], arguments.steps, arguments.every_steps)
    summaries = {
        name: {party: summary(curve, arguments.steps) for party, curve in by_party.items()}
        for name, by_party in curves.items()
    }
    print_summaries(summaries)
    content = json.dumps({"steps": arguments.steps, "summaries": summaries, "curves": curves}, indent=2)
    write_atomically(folder / "memory.json", content.encode())


if __name__ == "__main__":
    main()
