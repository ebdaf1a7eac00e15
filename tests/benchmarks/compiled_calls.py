"""What the compiled calls of a training step take by themselves, on an otherwise idle machine, one thread each.

Alice's base model: update by gradients, and the next batch's hiddens, in one
call. Bob, synchronous: the gradients that alice waits for; then his own
update, with his own hiddens of the next batch. Bob, pipelined: all of that in
one call.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deploy.demo.federation import PARTIES, read_configurations
from deploy.demo.pooled import read_pooled
from party.configuration.party import ThreadsSection
from party.cut.layout import CutLayout
from party.data.rows import InMemoryRows, label_rows
from party.engine.numerics import configure_tensorflow
from party.engine.trainable_base_model import TrainableBaseModel
from party.engine.trainable_fuse_model import OwnBase, TrainableFuseModel
from party.models.assembly import BASE, FUSE, PartyModels, base_layout
from party.models.label_tasks import LabelTasks
from party.runtime.model_objects import party_losses, party_optimizer, party_scores
from party.security.files import private_folder
from tests.benchmarks.movielens_parties import prepared_parties

SEED = 7
DEPTH = 4
SECRET = bytes(32)
CALLS, BLOCKS = 60, 9
ADDRESSES = dict.fromkeys(PARTIES, "127.0.0.1:1")


class Calls:
    """Both parties' models in this process, with the rows of MovieLens-100K that they would train on.

    Args:
        folder: of the benchmark, prepared.
        batch_size: rows of a batch.
    """

    def __init__(self, folder: Path, batch_size: int) -> None:
        run, parties = read_configurations(folder)
        training, (alice, bob) = run.training, parties
        data = read_pooled(parties, training, training.dataset, [])
        specs, bases, pipelined = {}, {}, {}
        for party in parties:
            packed = data.packed[party.party]
            for depth, made in ((DEPTH, pipelined), (1, bases)):
                models = PartyModels(base_layout(party.base_model, packed), folder=party.folder)
                models.draw(SECRET, SEED)
                optimizer = party_optimizer(party, training.optimizer)
                source, layout = InMemoryRows(models.inputs(packed)), CutLayout(models.specs)
                made[party.party] = TrainableBaseModel(models.models[BASE], source, layout, optimizer, depth=depth)
            specs[party.party] = models.specs
        models.add_fuse(bob.fuse_model, bob.data.labels, specs)
        models.draw(SECRET, SEED)
        self._fuse = TrainableFuseModel(
            models.models[FUSE],
            label_rows(data.labels),
            {name: base.layout for name, base in bases.items()},
            LabelTasks(models.fuse_outputs, party_losses(bob), party_scores(bob)),
            optimizer=party_optimizer(bob, training.optimizer),
            own=OwnBase(bob.party, bases[bob.party]),
        )
        self._alice, self._bob = bases[alice.party], bases[bob.party]
        self._pipelined_alice = pipelined[alice.party]
        self._rows = np.arange(batch_size, dtype=np.int32)
        for base in (self._alice, self._bob, self._pipelined_alice):
            self._hidden = base.forward(self._rows)
        self._hiddens = {alice.party: self._alice.infer(self._rows)}
        self._own = {bob.party: self._bob.infer(self._rows)}

    def base(self) -> None:
        self._alice.backward_and_forward(self._hidden, self._rows)

    def pipelined_base(self) -> None:
        self._pipelined_alice.backward_and_forward(self._hidden, self._rows)

    def gradients(self) -> None:
        self._fuse.gradients(self._rows, {**self._hiddens, **self._own})

    def gradients_and_own_update(self) -> None:
        self.gradients()
        self._fuse.apply()
        self._bob.backward_and_forward(self._hidden, self._rows)

    def whole_step(self) -> None:
        self._fuse.begin_step(self._rows, self._hiddens)()()


def milliseconds(call: Callable[[], None]) -> float:
    """Of processor time, the least of some blocks of calls."""
    call()
    blocks = []
    for _ in range(BLOCKS):
        started_seconds = time.process_time()
        for _ in range(CALLS):
            call()
        blocks.append(1000 * (time.process_time() - started_seconds) / CALLS)
    return min(blocks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 1024])
    arguments = parser.parse_args()
    configure_tensorflow(ThreadsSection(intra_operation=1))
    folder = private_folder(arguments.folder.resolve())
    prepared_parties(folder, SEED).write_run(addresses=ADDRESSES)
    for batch_size in arguments.batch_sizes:
        calls = Calls(folder, batch_size)
        gradients = milliseconds(calls.gradients)
        own_update = milliseconds(calls.gradients_and_own_update) - gradients
        print(
            f"batch {batch_size:>5}, ms of processor time: synchronous: base {milliseconds(calls.base):.2f},"
            f" gradients {gradients:.2f}, own update {own_update:.2f};"
            f" pipelined: base {milliseconds(calls.pipelined_base):.2f}, bob {milliseconds(calls.whole_step):.2f}"
        )


if __name__ == "__main__":
    main()
