"""What a training step takes with large embedding tables, by optimizer: `python -m tests.benchmarks.embedding_rows`.

A DeepFM base model in this process, without a network: update by gradients, and the next batch's hiddens, in one call.
Processor time, so that other processes matter less. With `--quality`: test AUC on MovieLens-100K of split runs. With
`--checkpoints`: the share of time that training waits for checkpoints of the largest table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from deploy.demo.federation import fresh_folder
from deploy.demo.own_figures import last_evaluation
from party.configuration.layout import BaseLayout, FeatureLayout
from party.configuration.models import DeepFMModel
from party.configuration.run import OptimizerSection
from party.configuration.threads import ThreadsSection
from party.cut.layout import CutLayout
from party.data.rows import InMemoryRows
from party.engine.numerics import configure_tensorflow
from party.engine.trainable_base_model import TrainableBaseModel
from party.models.assembly import BASE, PartyModels
from party.models.embedding import INDICES, VALUES
from party.models.keras_objects import build_optimizer
from party.security.files import private_folder, write_atomically
from tests.benchmarks.movielens_parties import federation_of, movielens_parties
from tests.benchmarks.table_checkpoints import measure_checkpoints

ADAM, LAZY_ADAM, ROW_ADAGRAD = "adam", "lazy_adam", "row_adagrad"
DENSE_LIMIT_ROWS = 1_000_000  # beyond, Adam takes seconds for a step
BATCHES, WARM_UP, BLOCKS, CALLS = 64, 4, 5, 20
AUC_TOLERANCE = 0.002


def make_base(rows: int, optimizer: str, *, batch_size: int, depth: int) -> TrainableBaseModel:
    """A base model with one hashed id of so many buckets, and batches of ids that are drawn at random."""
    features = (FeatureLayout(name="id", kind="hash", start=0, width=1, size=rows),)
    models = PartyModels(BaseLayout(section=DeepFMModel(), features=features, size=rows))
    samples = BATCHES * batch_size
    ids = np.random.default_rng(1).integers(0, rows, (samples, 1)).astype(np.int32)
    source = InMemoryRows({INDICES: ids, VALUES: np.ones((samples, 1), np.float32)})
    built = build_optimizer(OptimizerSection(name=optimizer), "optimizer")
    return TrainableBaseModel(models.models[BASE], source, CutLayout(models.specs), built, depth=depth)


def milliseconds(base: TrainableBaseModel, batch_size: int, depth: int) -> list[float]:
    """Processor time of a step, in milliseconds, of each block of steps."""
    order = np.arange(BATCHES * batch_size, dtype=np.int32).reshape(BATCHES, batch_size)
    gradients = np.random.default_rng(2).normal(0, 1e-3, (batch_size, base.layout.columns)).astype(np.float32)
    for number in range(depth):
        base.forward(order[number])
    blocks, step = [], depth
    for block in range(BLOCKS + 1):
        started_seconds = time.process_time()
        calls = CALLS if block else WARM_UP
        for _ in range(calls):
            base.backward_and_forward(gradients, order[step % BATCHES])
            step += 1
        blocks.append(1000 * (time.process_time() - started_seconds) / calls)
    return blocks[1:]


def measure_time(sizes: list[int], batch_size: int, depth: int) -> list[dict[str, object]]:
    """Prints and returns the time of a step by number of rows and optimizer."""
    print(f"{'rows':>12} {'optimizer':>12} {'ms per step':>12} {'range':>15} {'to adam':>8}")
    measured = []
    for rows in sizes:
        adam = None
        for optimizer in (ADAM, LAZY_ADAM, ROW_ADAGRAD):
            if optimizer == ADAM and rows > DENSE_LIMIT_ROWS:
                continue
            base = make_base(rows, optimizer, batch_size=batch_size, depth=depth)
            blocks = milliseconds(base, batch_size, depth)
            del base
            median = statistics.median(blocks)
            adam = median if optimizer == ADAM else adam
            ratio = "" if adam is None else f"{adam / median:.1f} x"
            bounds = f"{min(blocks):.2f}-{max(blocks):.2f}"
            print(f"{rows:>12,} {optimizer:>12} {median:>12.2f} {bounds:>15} {ratio:>8}", flush=True)
            measured.append({"rows": rows, "optimizer": optimizer, "depth": depth, "milliseconds": blocks})
    return measured


def measure_quality(folder: Path, seeds: list[int], epochs: int) -> list[dict[str, object]]:
    """Prints and returns the test AUC of split runs with adam and with lazy_adam, from the same initial weights."""
    measured: list[dict[str, object]] = []
    for seed in seeds:
        target, aucs = fresh_folder(folder / f"embedding-{seed}"), {}
        with movielens_parties(target, seed) as parties:
            for optimizer in (ADAM, LAZY_ADAM):
                training = {"seed": seed, "epochs": epochs, "batch_size": 128, "optimizer": {"name": optimizer}}
                with federation_of(parties, training) as federation:
                    history = federation.fit()
                    federation.evaluate()
                aucs[optimizer] = last_evaluation(target, parties.label_party, history.run_id)["auc"]
        measured.append({"seed": seed, **aucs, "difference": aucs[LAZY_ADAM] - aucs[ADAM]})
        print(f"seed {seed}: {aucs}", flush=True)
    print(f"\n{'seed':>6} {ADAM:>10} {LAZY_ADAM:>10} {'difference':>11}")
    for row in measured:
        print(f"{row['seed']:>6} {row[ADAM]:>10.4f} {row[LAZY_ADAM]:>10.4f} {row['difference']:>11.6f}")
    largest = max(abs(float(row["difference"])) for row in measured)
    print(f"largest difference {largest:.6f}, allowed {AUC_TOLERANCE}")
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--depth", type=int, default=1, help="batches under way")
    parser.add_argument("--quality", action="store_true", help="compare test AUCs in place of times")
    parser.add_argument("--checkpoints", action="store_true", help="measure checkpoints in place of steps")
    parser.add_argument("--rounds", type=int, default=4, help="of checkpoints")
    parser.add_argument("--exponent", type=float, default=1.0, help="an id's share falls with its rank; 0: all alike")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    if arguments.quality:
        measured, name = measure_quality(folder, arguments.seeds, arguments.epochs), "embedding-quality.json"
    elif arguments.checkpoints:
        configure_tensorflow(ThreadsSection())
        settings = {"exponent": arguments.exponent, "batch_size": arguments.batch_size, "rounds": arguments.rounds}
        measured, name = measure_checkpoints(folder, rows=max(arguments.rows), **settings), "table-checkpoints.json"
    else:
        configure_tensorflow(ThreadsSection())
        measured = measure_time(arguments.rows, arguments.batch_size, arguments.depth)
        name = "embedding-rows.json"
    write_atomically(folder / name, json.dumps(measured, indent=2).encode())


if __name__ == "__main__":
    main()
