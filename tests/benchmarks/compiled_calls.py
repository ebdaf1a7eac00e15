"""What the compiled calls of a training step take by themselves, on an otherwise idle machine, one thread each.

Alice's base model: update by gradients, and the next batch's hiddens, in one
call. Bob, synchronous: the gradients that alice waits for; then his own
update, with his own hiddens of the next batch. Bob, pipelined: all of that in
one call. With private labels, bob's private head adds a call to each step, which
gives no gradients; his time is compared with that of one head.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deploy.demo.federation import PARTIES, read_configurations
from deploy.demo.pooled import read_pooled
from party.configuration.threads import ThreadsSection
from party.cut.layout import CutLayout
from party.data.rows import label_rows
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
                source, layout = models.row_source(packed), CutLayout(models.specs)
                made[party.party] = TrainableBaseModel(models.models[BASE], source, layout, optimizer, depth=depth)
            specs[party.party] = models.specs
        models.add_fuse(bob.fuse_model, bob.data.labels, specs)
        models.draw(SECRET, SEED)
        self._fuse, self._private = (
            TrainableFuseModel(
                one.models[FUSE],
                label_rows(data.labels),
                {name: base.layout for name, base in bases.items()},
                LabelTasks(one.fuse_outputs, party_losses(bob), party_scores(bob)),
                optimizer=party_optimizer(bob, training.optimizer),
                own=OwnBase(bob.party, base),
                gives_gradients=gives_gradients,
            )
            for one, base, gives_gradients in (
                (models, bases[bob.party], True),
                self._private_head(bob, data.packed[bob.party], specs, training),
            )
        )
        self._alice, self._bob = bases[alice.party], bases[bob.party]
        self._pipelined_alice = pipelined[alice.party]
        self._rows = np.arange(batch_size, dtype=np.int32)
        for base in (self._alice, self._bob, self._pipelined_alice):
            self._hidden = base.forward(self._rows)
        self._hiddens = {alice.party: self._alice.infer(self._rows)}
        self._own = {bob.party: self._bob.infer(self._rows)}

    @staticmethod
    def _private_head(bob, packed, specs, training) -> tuple[PartyModels, TrainableBaseModel, bool]:
        models = PartyModels(base_layout(bob.base_model, packed), folder=bob.folder)
        models.add_fuse(bob.fuse_model, bob.data.labels, specs)
        models.draw(SECRET, SEED)
        source, layout = models.row_source(packed), CutLayout(models.specs)
        optimizer = party_optimizer(bob, training.optimizer)
        return models, TrainableBaseModel(models.models[BASE], source, layout, optimizer), False

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

    def private_step(self) -> None:
        self._private.begin_step(self._rows, self._hiddens)()()

    def two_heads(self) -> None:
        self.gradients_and_own_update()
        self.private_step()

    def two_heads_pipelined(self) -> None:
        self.whole_step()
        self.private_step()


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
        one_head, pipelined = milliseconds(calls.gradients_and_own_update), milliseconds(calls.whole_step)
        own_update = one_head - gradients
        print(
            f"batch {batch_size:>5}, ms of processor time: synchronous: base {milliseconds(calls.base):.2f},"
            f" gradients {gradients:.2f}, own update {own_update:.2f};"
            f" pipelined: base {milliseconds(calls.pipelined_base):.2f}, bob {pipelined:.2f};"
            f" two heads over one: synchronous {milliseconds(calls.two_heads) / one_head:.2f},"
            f" pipelined {milliseconds(calls.two_heads_pipelined) / pipelined:.2f}"
        )


if __name__ == "__main__":
    main()
