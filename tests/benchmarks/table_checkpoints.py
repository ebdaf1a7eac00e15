"""What checkpoints of a large table cost: `python -m tests.benchmarks.embedding_rows --checkpoints`.

A DeepFM base model and the real files of checkpoints, in this process. Checkpoints as parties make them and checkpoints
of the whole table are made in turn. Between two of them pass as many samples as the model trains in half a minute
without a pause; the rows of their batches are noted as with an update. Processor time, so that other processes matter
less: of the snapshot, in which training waits, and of the writing, which goes on beside training.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from coordinator.configuration import CheckpointIntervalSection
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

CHANGED, WHOLE = "changed rows", "whole table"
ROUND = (CHANGED, CHANGED, CHANGED, WHOLE)
CADENCE_SECONDS = CheckpointIntervalSection().every_seconds
SAMPLES = 1 << 24
WARM_UP_STEPS, STEPS = 10, 100


def draw_ids(rows: int, exponent: float) -> np.ndarray:
    """Ids of a stream of samples: all alike, or as often as their rank to the power of -exponent says."""
    generator = np.random.default_rng(1)
    if not exponent:
        return generator.integers(0, rows, (SAMPLES, 1)).astype(np.int32)
    cumulated = np.cumsum(np.arange(1, rows + 1, dtype=np.float64) ** -exponent)
    ranks = np.searchsorted(cumulated, generator.random(SAMPLES) * cumulated[-1])
    return generator.permutation(rows).astype(np.int32)[np.minimum(ranks, rows - 1)][:, None]


@dataclass(frozen=True)
class Cost:
    """Processor time of one checkpoint."""

    what: str
    waited_seconds: float
    writing_seconds: float


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

    def run(self, steps: int) -> float:
        """Trains for some steps; returns the processor time of one, in seconds."""
        started_seconds = time.process_time()
        for _ in range(steps):
            self._steps += 1
            self.base.backward_and_forward(self._gradients, self._batch(self._steps))
        return (time.process_time() - started_seconds) / steps

    def pass_by(self, steps: int) -> None:
        """Notes the rows of the batches of some steps, which are not computed."""
        for _ in range(steps):
            self._steps += 1
            self.base.note_update(self.base.gather(self._batch(self._steps)))

    def checkpoint(self, what: str) -> Cost:
        """Makes a checkpoint."""
        checkpoints, step = self._written[what], self._steps
        started_seconds = time.process_time()
        state = self.base.state()
        if what == WHOLE:  # as arrays, which is what a checkpoint has of all other variables
            whole = {name: table.variable.numpy().copy() for name, table in state.tables.items()}
            state = State(state.values, {**state.arrays, **whole})
        checkpoints.take(step, state)
        waited_seconds = time.process_time() - started_seconds
        del state
        started_seconds = time.process_time()
        checkpoints.prepare(step)
        checkpoints.commit(step, [])
        return Cost(what, waited_seconds, time.process_time() - started_seconds)

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
    """Prints and returns what checkpoints cost; the first one of a run, which holds all rows, is told apart."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        trainer = Trainer(rows, exponent, batch_size, Path(scratch))
        trainer.run(WARM_UP_STEPS)
        steps = round(CADENCE_SECONDS / trainer.run(STEPS))
        costs = [trainer.checkpoint(CHANGED)]
        for what in ROUND * rounds:
            trainer.pass_by(steps if what == CHANGED else 0)
            costs.append(trainer.checkpoint(what))
    print(f"{rows:,} rows, lazy_adam, ids {f'by rank to the power of -{exponent}' if exponent else 'all alike'}")
    print(f"{steps:,} steps of {batch_size} samples in {CADENCE_SECONDS:.0f} s")
    print(f"first checkpoint: training waits {costs[0].waited_seconds:.2f} s")
    print(f"{'checkpoint':>14} {'training waits, s':>20} {'share':>7} {'writing beside, s':>20}")
    for what in (CHANGED, WHOLE):
        waited, writing = (
            [getattr(one, field) for one in costs[1:] if one.what == what]
            for field in ("waited_seconds", "writing_seconds")
        )
        mean = statistics.mean(waited)
        share = mean / (CADENCE_SECONDS + mean)
        print(f"{what:>14} {with_range(waited):>20} {share:>7.1%} {with_range(writing):>20}", flush=True)
    return [asdict(one) for one in costs]


def with_range(values: list[float]) -> str:
    """The mean of some values, and the smallest and largest one."""
    return f"{statistics.mean(values):.2f} ({min(values):.2f}-{max(values):.2f})"
