"""Two banks' columns about the same customers, written down as a newcomer would: test AUC beside that of LightGBM.

`python -m tests.benchmarks.default_credit` makes a table of the shape of FATE's `default_credit` pair. With `--guest`
and `--host`, files of that pair are read in its place (columns `id,y,x0..` and `id,x0..`); with `--test-guest` and
`--test-host` the test rows too, else a part of the rows is set aside. Prints the test AUC of the split run, of the same
model in one process on pooled data until the same epoch, of LightGBM on pooled data if it is installed, and, of the
made table, of the probabilities that its labels were drawn with, which no model exceeds but by chance.

A party's file has one feature, `columns: "x*"`, and the defaults; the run stops early by `val_auc`, without a mode.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import pandas as pd

from coordinator.local_federation import LocalFederation
from coordinator.local_folders import LocalFolders
from deploy.demo.federation import fresh_folder
from deploy.demo.own_figures import last_evaluation
from deploy.demo.pooled import train_pooled
from party.configuration.run import TrainingSection
from party.runtime.column_ranges import load_with_columns
from party.security.files import private_folder
from party.security.randomness import SECRET_BYTES
from tests.support.credit_pair import (
    FEATURES,
    GUEST,
    HOST,
    LABELS,
    TEST_ROWS,
    TRAIN_ROWS,
    TRAINING,
    Pair,
    area,
    made_pair,
)


def read_pair(arguments: argparse.Namespace) -> Pair:
    """Reads the files; without files of test rows, the same share of the ids is set aside as in the made pair."""
    given = {GUEST: arguments.guest, HOST: arguments.host}
    tables = {party: pd.read_csv(path, dtype={"id": str}) for party, path in given.items()}
    tests = {GUEST: arguments.test_guest, HOST: arguments.test_host}
    if all(tests.values()):
        test = {party: pd.read_csv(path, dtype={"id": str}) for party, path in tests.items()}
        frames = {party: {"train": table, "test": test[party]} for party, table in tables.items()}
    else:
        ids = tables[GUEST]["id"].sample(frac=TEST_ROWS / (TRAIN_ROWS + TEST_ROWS), random_state=arguments.seeds[0])
        aside = {party: table["id"].isin(ids) for party, table in tables.items()}
        frames = {party: {"train": one[~aside[party]], "test": one[aside[party]]} for party, one in tables.items()}
    return Pair(frames)


def newcomer_federation(folder: Path, pair: Pair, seed: int) -> LocalFederation:
    """Both parties as a newcomer describes them; secrets are pinned so that pooled training can repeat the run."""
    given = {
        party: {
            "frames": frames,
            "id": "id",
            "features": FEATURES,
            "pinned_secret": bytes([place + seed] * SECRET_BYTES).hex(),
        }
        for place, (party, frames) in enumerate(pair.frames.items(), 1)
    }
    given[GUEST]["labels"] = LABELS
    run = {"alignment": {"datasets": ["train", "test"]}, "evaluate_dataset": "test"}
    return LocalFederation(folder, given, training={**TRAINING, "seed": seed}, run=run)


def split_run(folder: Path, pair: Pair, seed: int) -> tuple[float, int]:
    """Trains and evaluates the split run; returns its exact test AUC and the number of its best epoch."""
    fresh_folder(folder, (GUEST, HOST))
    with newcomer_federation(folder, pair, seed) as local, local.connect() as federation:
        federation.align()
        history = federation.fit()
        federation.evaluate()
    return last_evaluation(folder, GUEST, history.run_id)["auc"], int(history.best_epoch or 0)


def pooled_keras(folder: Path, seed: int, epochs: int) -> float:
    """Test AUC of the same model in one process, trained as long as the split run whose files are in a folder."""
    folders = LocalFolders(folder)
    parties = [load_with_columns(folders.party_path(name)) for name in (GUEST, HOST)]
    training = TrainingSection.model_validate({**TRAINING, "dataset": "train", "seed": seed})
    kept = training.model_copy(update={"epochs": epochs, "early_stopping": None})
    return train_pooled(parties, kept, "test", []).metrics["auc"]


def pooled_lightgbm(pair: Pair, seed: int) -> float:
    """Test AUC of LightGBM with early stopping on pooled data, holding out the same share of the training rows."""
    import lightgbm  # noqa: PLC0415

    table = pair.pooled("train").sample(frac=1.0, random_state=seed)
    held_out = int(TRAINING["validation_fraction"] * len(table))
    features = [name for name in table.columns if name not in ("id", "y")]
    model = lightgbm.LGBMClassifier(n_estimators=1000, learning_rate=0.03, num_leaves=15, random_state=seed, verbose=-1)
    rows, aside, test = table[held_out:], table[:held_out], pair.pooled("test")
    stopping = lightgbm.early_stopping(30, verbose=False)
    held = [(aside[features], aside["y"])]
    model.fit(rows[features], rows["y"], eval_set=held, eval_metric="auc", callbacks=[stopping])
    return area(model.predict_proba(test[features])[:, 1], test["y"])


def measure(folder: Path, pair: Pair, seed: int) -> dict[str, float]:
    """Test AUCs by model."""
    split, best = split_run(folder, pair, seed)
    found = {"split": split, "pooled keras": pooled_keras(folder, seed, best + 1)}
    if importlib.util.find_spec("lightgbm") is not None:
        found["pooled lightgbm"] = pooled_lightgbm(pair, seed)
    if pair.probabilities is not None:
        found["probabilities"] = area(pair.probabilities, pair.pooled("test")["y"])
    return {**found, "best epoch": best + 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--guest", type=Path, help="CSV file with the columns id, y, x0 and so on")
    parser.add_argument("--host", type=Path, help="CSV file with the columns id, x0 and so on")
    parser.add_argument("--test-guest", type=Path, help="the same, with test rows")
    parser.add_argument("--test-host", type=Path, help="the same, with test rows")
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    for seed in arguments.seeds:
        pair = made_pair(seed) if arguments.guest is None else read_pair(arguments)
        found = measure(folder / f"credit-{seed}", pair, seed)
        print(f"seed {seed}: " + ", ".join(f"{name} {value:.4g}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
