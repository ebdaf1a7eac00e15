"""Samples per second of the split system and of `keras fit`, in pairs that alternate in one run.

Split: a coordinator (this process) and two `party serve` processes, with TLS
and sealing. Fit: one process with TensorFlow's default threads and the same
joined model. Both are warm: the first epoch of each, which traces and
compiles, is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.exchanges import run_exchanges
from coordinator.federation import Federation
from coordinator.local_federation import LocalFederation
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from coordinator.traffic import Traffic
from party.pb.handshake_pb2 import Purpose
from party.security.files import private_folder, write_atomically
from tests.benchmarks.movielens_parties import prepared_parties
from tests.benchmarks.processor_time import ProcessorTime

SEED = 7


class FitProcess:
    """`keras fit` of the joined model, one epoch at a time on demand."""

    def __init__(self, folder: Path, batch_size: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.fit_process", str(folder), str(batch_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._process.stdout.readline()
        self.number = self._process.pid

    def epoch(self) -> float:
        """Samples per second of one epoch."""
        self._process.stdin.write("epoch\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)


class EpochPairs:
    """Measures every epoch of a split run, and a fit epoch after each; processor time from the second epoch on."""

    def __init__(self, fit: FitProcess, parties: LocalFederation, steps_per_epoch: int, samples_per_epoch: int) -> None:
        self._fit = fit
        numbers = {name: process.pid for name, process in parties.processes.items()}
        self.split_time = ProcessorTime({**numbers, "coordinator": os.getpid()})
        self.fit_time = ProcessorTime({"fit": fit.number})
        self._steps = steps_per_epoch
        self._samples = samples_per_epoch
        self._started_seconds = time.perf_counter()
        self.pairs: list[tuple[float, float]] = []
        self.bytes_per_sample = 0.0

    def __call__(self, traffic: Traffic) -> None:
        if traffic.steps % self._steps == 0:
            split = self._samples / (time.perf_counter() - self._started_seconds)
            if self.pairs:
                self.split_time.stop()
            self.fit_time.start()
            self.pairs.append((split, self._fit.epoch()))
            self.fit_time.stop()
            self.bytes_per_sample = traffic.message_bytes / (traffic.steps / self._steps * self._samples)
            self.split_time.start()
            self._started_seconds = time.perf_counter()


def measure(parties: LocalFederation, batch_size: int, pairs: int, depth: int) -> dict[str, object]:
    """Runs one batch size with so many batches under way."""
    training = {
        "seed": SEED,
        "epochs": pairs + 1,
        "batch_size": batch_size,
        "validation_fraction": 0.0,
        "remainder": "drop",
        "schedule": {"kind": "pipelined", "depth": depth},
    }
    configuration = load_coordinator_configuration(parties.write_run(training))
    with Federation(configuration) as federation:
        aligned = federation.align()
        run = configuration.run
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_TRAIN,
            run_id=new_run_id(),
            lease=federation._journal.lease,
            configuration=run.to_bytes(),
        )
        with CoordinatedSession(federation._clients, run, proposal) as session:
            steps = session.steps // training["epochs"]
            samples = steps * batch_size
            fit = FitProcess(parties.folder, batch_size)
            fit.epoch()
            watch = EpochPairs(fit, parties, steps, samples)
            before = time.perf_counter()
            run_exchanges(session, watch)
            fit.close()
            seconds = time.perf_counter() - before
            timings = {name: _timings(session, name) for name in session.clients}
    counted = watch.pairs[1:]
    ratios = [split / fit for split, fit in counted]
    return {
        "batch_size": batch_size,
        "depth": depth,
        "pairs": len(counted),
        "rows": sum(one.rows_in_common or 0 for one in aligned),
        "split_samples_per_second": statistics.median(split for split, _ in counted),
        "split_range": [min(split for split, _ in counted), max(split for split, _ in counted)],
        "fit_samples_per_second": statistics.median(fit for _, fit in counted),
        "fit_range": [min(fit for _, fit in counted), max(fit for _, fit in counted)],
        "ratio_median": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "bytes_per_sample": watch.bytes_per_sample,
        "milliseconds_per_step": {
            name: {activity: 1000 * value / count for activity, (value, count) in sorted(values.items())}
            for name, values in timings.items()
        },
        "processor_milliseconds_per_step": {
            **{name: 1000 * value / (len(counted) * steps) for name, value in watch.split_time.seconds.items()},
            "fit": 1000 * watch.fit_time.seconds["fit"] / (len(watch.pairs) * steps),
        },
        "split_step_milliseconds": 1000 * batch_size / statistics.median(split for split, _ in counted),
        "seconds": seconds,
    }


def _timings(session: CoordinatedSession, name: str) -> dict[str, tuple[float, int]]:
    reply = session.clients[name].report(session.reference)
    return {timing.activity: (timing.seconds, timing.count) for timing in reply.timings}


def _with_range(result: dict[str, object], name: str) -> str:
    low, high = result[f"{name}_range"]
    return f"{result[f'{name}_samples_per_second']:,.0f} [{low:,.0f} to {high:,.0f}]"


def print_result(result: dict[str, object]) -> None:
    low, high = result["ratio_range"]
    print(
        f"batch {result['batch_size']:>5}, depth {result['depth']}: split {_with_range(result, 'split')},"
        f" keras fit {_with_range(result, 'fit')} samples/s\n"
        f"   ratio {result['ratio_median']:.2f} [{low:.2f} to {high:.2f}] over {result['pairs']} pairs,"
        f" {result['bytes_per_sample']:.0f} bytes per sample"
    )
    step = result["split_step_milliseconds"]
    alice, bob = result["milliseconds_per_step"]["alice"], result["milliseconds_per_step"]["bob"]
    sealing = alice["seal"] + alice["open"] + bob["seal"] + bob["open"]
    wait = bob.get("wait for own update", 0.0)
    processor = dict(result["processor_milliseconds_per_step"])
    fit = processor.pop("fit")
    by_process = ", ".join(f"{name} {value:.2f}" for name, value in processor.items())
    together = sum(processor.values())
    print(
        f"   processor time of a step {together:.2f} ms ({by_process}), {together / step / os.cpu_count():.0%} of"
        f" {os.cpu_count()} cores; keras fit {fit:.2f} ms"
    )
    if result["depth"] > 1:
        print(
            f"   a step of {step:.2f} ms: base {alice['base']:.2f} beside fuse and own update {bob['fuse']:.2f},"
            f" seal and open {sealing:.2f}, wait for the own books {wait:.2f}"
        )
        return
    transport = step - alice["base"] - bob["fuse"] - sealing
    print(
        f"   a step of {step:.2f} ms: base {alice['base']:.2f}, fuse {bob['fuse']:.2f}, seal and open {sealing:.2f},"
        f" transport and coordinator {transport:.2f}"
        f" (own update {bob['own update']:.2f}, once the gradients are on their way)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 1024, 4096])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 4], help="Batches under way; 1 is synchronous.")
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    local = prepared_parties(folder, SEED)
    results = []
    for batch_size in arguments.batch_sizes:
        for depth in arguments.depths:
            with local as parties:
                results.append(measure(parties, batch_size, arguments.pairs, depth))
            print_result(results[-1])
    write_atomically(folder / "throughput.json", json.dumps(results, indent=2).encode())
    print(f"wrote {folder / 'throughput.json'}")


if __name__ == "__main__":
    main()
