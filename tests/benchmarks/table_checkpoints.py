"""What checkpoints of a large table cost: `python -m tests.benchmarks.embedding_rows --checkpoints`.

A DeepFM base model trains in this process without a pause, with the real files of checkpoints, in blocks of half a
minute in turn: without a checkpoint; with one as parties make it; with one of the whole table. Each is written beside
training.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from party.configuration.checkpoints import PartyCheckpointsSection
from party.configuration.layout import BaseLayout, FeatureLayout
from party.configuration.models import DeepFMModel
from party.configuration.run import OptimizerSection
from party.cut.layout import CutLayout
from party.cut.state import State
from party.data.rows import InMemoryRows
from party.engine.trainable_base_model import TrainableBaseModel
from party.models.assembly import BASE, PartyModels
from party.models.embedding import INDICES, VALUES
from party.models.keras_objects import build_optimizer
from party.protocol.checkpoints import ORIGIN
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.request_file import RequestFile
from party.runtime.training_checkpoints import TrainingCheckpoints
from party.security.files import private_folder
from party.security.sealing import SealingKeys

NONE, CHANGED, WHOLE = "none", "changed rows", "whole table"
ROUND = (NONE, CHANGED, CHANGED, CHANGED, NONE, WHOLE)
BLOCK_SECONDS = 30.0  # the default cadence: one checkpoint at the beginning of each block
SAMPLES = 1 << 24
WARM_UP_STEPS = 50


def draw_ids(rows: int, exponent: float) -> np.ndarray:
    """Ids of a stream of samples: all alike, or as often as their rank to the power of -exponent says."""
    generator = np.random.default_rng(1)
    if not exponent:
        return generator.integers(0, rows, (SAMPLES, 1)).astype(np.int32)
    cumulated = np.cumsum(np.arange(1, rows + 1, dtype=np.float64) ** -exponent)
    ranks = np.searchsorted(cumulated, generator.random(SAMPLES) * cumulated[-1])
    return generator.permutation(rows).astype(np.int32)[np.minimum(ranks, rows - 1)][:, None]


class Trainer:
    """A base model that is trained by one stream of samples, and its checkpoints."""

    def __init__(self, rows: int, exponent: float, batch_size: int, folder: Path) -> None:
        features = (FeatureLayout(name="id", kind="hash", start=0, width=1, size=rows),)
        models = PartyModels(BaseLayout(section=DeepFMModel(), features=features, size=rows))
        source = InMemoryRows({INDICES: draw_ids(rows, exponent), VALUES: np.ones((SAMPLES, 1), np.float32)})
        built = build_optimizer(OptimizerSection(name="lazy_adam"), "optimizer")
        self.base = TrainableBaseModel(models.models[BASE], source, CutLayout(models.specs), built)
        self._size, self._steps = batch_size, 0
        shape = (batch_size, self.base.layout.columns)
        self._gradients = np.random.default_rng(2).normal(0, 1e-3, shape).astype(np.float32)
        self.base.forward(self._batch(0))
        self._written = {what: make_checkpoints(folder / what.replace(" ", "-")) for what in (CHANGED, WHOLE)}

    def run(self, seconds: float, at_most: int = 1 << 60) -> int:
        """Trains for a time; returns the number of steps."""
        first, end = self._steps, time.perf_counter() + seconds
        while time.perf_counter() < end and self._steps < first + at_most:
            self._steps += 1
            self.base.backward_and_forward(self._gradients, self._batch(self._steps))
        return self._steps - first

    def block(self, what: str) -> dict[str, object]:
        """Trains for a block that begins with a checkpoint, if any; all of it must be done when the block ends."""
        started_seconds, writer = time.perf_counter(), None
        if what != NONE:
            checkpoints, step = self._written[what], self._steps
            state = self.base.state()
            if what == WHOLE:  # as arrays, which is what a checkpoint has of all other variables
                whole = {name: table.variable.numpy().copy() for name, table in state.tables.items()}
                state = State(state.values, {**state.arrays, **whole})
            checkpoints.take(step, state)
            writer = threading.Thread(target=lambda: (checkpoints.prepare(step), checkpoints.commit(step, [])))
        waited_seconds = time.perf_counter() - started_seconds
        if writer is not None:
            writer.start()
        steps = self.run(BLOCK_SECONDS - waited_seconds)
        if writer is not None:
            writer.join()
        lasted_seconds = time.perf_counter() - started_seconds
        return {"what": what, "waited_seconds": waited_seconds, "steps_per_second": steps / lasted_seconds}

    def _batch(self, number: int) -> np.ndarray:
        first = number * self._size % SAMPLES
        return np.arange(first, first + self._size, dtype=np.int32)


def make_checkpoints(folder: Path) -> TrainingCheckpoints:
    """The checkpoints of a party without peers, in a folder of their own."""
    run_folder = private_folder(folder)
    requests = RequestFile(run_folder, "alice", 1)
    list(requests.open(0))
    keep = PartyCheckpointsSection().keep
    keys, files = SealingKeys(bytes(32), {}, {}), CheckpointFiles(run_folder, "alice")
    return TrainingCheckpoints(keys, files, requests, party="alice", peers=[], dataset="train", start=ORIGIN, keep=keep)


def measure_checkpoints(
    folder: Path, *, rows: int, exponent: float, batch_size: int, rounds: int
) -> list[dict[str, object]]:
    """Prints and returns what was measured of every block; the first checkpoint of a run is told apart."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        trainer = Trainer(rows, exponent, batch_size, Path(scratch))
        trainer.run(BLOCK_SECONDS, WARM_UP_STEPS)
        first = trainer.block(CHANGED)
        blocks = [trainer.block(what) for _ in range(rounds) for what in ROUND]
    speeds = {what: [float(one["steps_per_second"]) for one in blocks if one["what"] == what] for what in ROUND}
    waits = {what: [float(one["waited_seconds"]) for one in blocks if one["what"] == what] for what in ROUND}
    without = statistics.median(speeds[NONE])
    print(f"{rows:,} rows, lazy_adam, ids {f'by rank to the power of -{exponent}' if exponent else 'all alike'}")
    print(f"without checkpoints {without:,.0f} steps of {batch_size} samples per second")
    print(f"first checkpoint: training waited {first['waited_seconds']:.2f} s")
    print(f"{'checkpoint':>14} {'waited s':>18} {'share of time':>14} {'throughput':>11}")
    for what in (CHANGED, WHOLE):
        low, high, mean = min(waits[what]), max(waits[what]), statistics.mean(waits[what])
        ratio = statistics.mean(speeds[what]) / statistics.mean(speeds[NONE])
        share = mean / BLOCK_SECONDS
        print(f"{what:>14} {f'{mean:.2f} ({low:.2f}-{high:.2f})':>18} {share:>14.1%} {ratio:>11.3f}", flush=True)
    return [first, *blocks]
