"""What checkpoints cost, and how long a run takes to go on after a party was killed.

Cost: one session, epochs with and without checkpoints in turn. Once a
second first, which shows what one costs; then at the default cadence. Recovery:
`kill -9` of a party, started again at once.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from coordinator.checkpoints import Checkpointer
from coordinator.configuration import CheckpointIntervalSection, load_coordinator_configuration
from coordinator.exchanges import run_exchanges
from coordinator.federation import Federation
from coordinator.local_federation import LocalFederation
from coordinator.progress import SilentDisplay
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from coordinator.traffic import Traffic
from party.errors import StoppedError
from party.pb.handshake_pb2 import Purpose
from party.security.files import private_folder, write_atomically
from tests.benchmarks.movielens_parties import federation_of, prepared_parties

SEED = 7
BATCH_SIZE = 128
TRAINING = {"seed": SEED, "batch_size": BATCH_SIZE, "validation_fraction": 0.0, "remainder": "drop"}
OFTEN = CheckpointIntervalSection(every_seconds=1.0)
DEFAULT = CheckpointIntervalSection()


class Blocks:
    """Times blocks of epochs, every second one with checkpoints; the first two only warm up."""

    def __init__(self, checkpointer: Checkpointer, steps_per_block: int) -> None:
        self._checkpointer = checkpointer
        self._steps = steps_per_block
        self._active = False
        self._started_seconds = time.perf_counter()
        self.with_checkpoints: list[float] = []
        self.without: list[float] = []

    def is_due(self, traffic: Traffic) -> bool:
        return self._active and self._checkpointer.is_due(traffic)

    def run(self, traffic: Traffic) -> None:
        self._checkpointer.run(traffic)

    def progress(self, traffic: Traffic) -> None:
        if traffic.steps % self._steps == 0:
            now = time.perf_counter()
            (self.with_checkpoints if self._active else self.without).append(now - self._started_seconds)
            self._active = not self._active
            self._started_seconds = time.perf_counter()


def measure_cost(
    parties: LocalFederation, cadence: CheckpointIntervalSection, epochs_per_block: int, pairs: int
) -> dict[str, object]:
    """Seconds of blocks with and without checkpoints, in one session."""
    blocks = 2 * (pairs + 1)
    committed: list[int] = []
    with federation_of(parties, {**TRAINING, "epochs": blocks * epochs_per_block}) as federation:
        federation.align()
        run = federation.configuration.run
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_TRAIN,
            run_id=new_run_id(),
            lease=federation._journal.lease,
            configuration=run.to_bytes(),
        )
        with CoordinatedSession(federation._clients, run, proposal) as session:
            checkpointer = Checkpointer(session, cadence, lambda mark, traffic: committed.append(mark.step))
            watch = Blocks(checkpointer, session.steps // blocks)
            run_exchanges(session, watch.progress, watch)
            checkpointer.close()
            samples = session.steps // blocks * BATCH_SIZE
    pairs_of_blocks = list(zip(watch.without[1:], watch.with_checkpoints[1:], strict=True))
    counted = [step for step in committed if step > 2 * session.steps // blocks]
    ratios = [without / having for without, having in pairs_of_blocks]
    return {
        "every_seconds": cadence.every_seconds,
        "pairs": len(ratios),
        "checkpoints": len(counted),
        "samples_per_second_without": samples / statistics.median(without for without, _ in pairs_of_blocks),
        "samples_per_second_with": samples / statistics.median(having for _, having in pairs_of_blocks),
        "throughput_ratio_median": statistics.median(ratios),
        "throughput_ratio_range": [min(ratios), max(ratios)],
        "milliseconds_per_checkpoint": 1000
        * sum(having - without for without, having in pairs_of_blocks)
        / max(1, len(counted)),
    }


class Recovery(SilentDisplay):
    """Kills alice at her second sign of life, and notes when the run goes on."""

    def __init__(self, parties: LocalFederation) -> None:
        self._parties = parties
        self._updates = 0
        self._killed_seconds = 0.0
        self.resumed_seconds: float | None = None
        self.stepped_seconds: float | None = None
        self.done = threading.Event()

    def print_line(self, text: str) -> None:
        if text.startswith("resuming from step "):
            self.resumed_seconds = time.perf_counter() - self._killed_seconds

    def update(self, text: str, done: int, total: int, figures: Sequence[str] = ()) -> None:
        self._updates += 1
        if self._updates == 2:
            self._killed_seconds = time.perf_counter()
            self._parties.kill("alice")
            self._parties.processes["alice"].launch()
        if self.resumed_seconds is not None and self.stepped_seconds is None:
            self.stepped_seconds = time.perf_counter() - self._killed_seconds
            self.done.set()


def measure_recovery(parties: LocalFederation) -> dict[str, float | None]:
    """Seconds from `kill -9` of a party to the next steps of the run."""
    path = parties.write_run({**TRAINING, "epochs": 1000})
    display = Recovery(parties)
    with Federation(load_coordinator_configuration(path), lambda: display) as federation:
        federation.align()
        threading.Thread(target=lambda: (display.done.wait(), federation.stop()), daemon=True).start()
        with suppress(StoppedError):
            federation.fit()
    return {"going_on_seconds": display.resumed_seconds, "next_steps_seen_seconds": display.stepped_seconds}


def main() -> None:
    folder = private_folder(Path("benchmarks").resolve())
    with prepared_parties(folder, SEED) as parties:
        parties.write_party("alice", listen=parties.addresses["alice"])  # where she is found again
        results = {
            "often": measure_cost(parties, OFTEN, epochs_per_block=1, pairs=9),
            "default": measure_cost(parties, DEFAULT, epochs_per_block=1, pairs=40),
            "recovery": measure_recovery(parties),
        }
    content = json.dumps(results, indent=2)
    print(content)
    write_atomically(folder / "checkpoints.json", content.encode())


if __name__ == "__main__":
    main()
