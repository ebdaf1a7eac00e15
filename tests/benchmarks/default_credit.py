"""Two banks' columns about the same customers, written down as a newcomer would: the split test AUC beside LightGBM's.

`python -m tests.benchmarks.default_credit` makes a table of the shape of FATE's `default_credit` pair. With `--guest` and
`--host`, files of that pair are read in its place (columns `id,y,x0..` and `id,x..`); with `--test-guest` and `--test-host`
the test rows too, else a part of the rows is set aside. Prints the test AUC of the split run, of the same model trained in
one process on pooled data until the same epoch, of LightGBM on pooled data if it is installed, and, of the made table, of
the probabilities that its labels were drawn with, which no model can exceed but by chance.

A party's file has one feature, `columns: "x*"`, and the defaults; the run has early stopping by `val_auc` without a mode.
"""

from __future__ import annotations

import argparse
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from coordinator.local_federation import LocalFederation
from coordinator.local_folders import LocalFolders
from deploy.demo.federation import fresh_folder
from deploy.demo.own_figures import last_evaluation
from deploy.demo.pooled import train_pooled
from party.configuration.run import TrainingSection
from party.metrics.area_under_curve import area_under_curve
from party.runtime.column_ranges import load_with_columns
from party.security.files import private_folder
from party.security.randomness import SECRET_BYTES

TRAIN_ROWS, TEST_ROWS = 22_000, 8_000
GUEST, HOST = "guest", "host"
GUEST_COLUMNS = 13  # x0 to x12, beside the label; the host has the other ten
TRAINING = {"epochs": 30, "validation_fraction": 0.1, "early_stopping": {"metric": "val_auc", "patience": 3}}
AUC_TOLERANCE = 0.005  # below LightGBM

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """The tables of both parties.

    Attributes:
        frames: by party and dataset, `train` and `test`.
        probabilities: of the label of each test row, float64 (rows,); None where nobody knows.
    """

    frames: dict[str, dict[str, pd.DataFrame]]
    probabilities: FloatArray | None = None

    def pooled(self, dataset: str) -> pd.DataFrame:
        """The rows that both parties have, with the columns of both."""
        return self.frames[GUEST][dataset].merge(self.frames[HOST][dataset], on="id", suffixes=("", "_host"))


def made_columns(generator: np.random.Generator, rows: int) -> tuple[FloatArray, FloatArray]:
    """Columns as a bank keeps them: a limit, people, delays of six months, bills and payments with long tails.

    Returns:
        The columns, float64 (rows, 23), and the probability of a default, float64 (rows,). It has steps, and depends on
        columns of both parties together.
    """
    wealth, care = generator.normal(0, 1, (2, rows))
    limit = np.exp(11.6 + 0.7 * wealth + 0.4 * care + generator.normal(0, 0.5, rows)).round(-4).clip(1e4, 1e6)
    sex, married = generator.integers(1, 3, rows), generator.choice([1, 2, 3], rows, p=[0.45, 0.53, 0.02])
    schooling = generator.choice([1, 2, 3, 4], rows, p=[0.35, 0.47, 0.16, 0.02])
    age = (21 + generator.gamma(2.2, 6.5, rows)).round().clip(21, 79)
    delays, bills, paid = _months(generator, limit, wealth, care)
    use = bills[:, 0] / limit
    covered = np.log((paid[:, :3].sum(axis=1) + 500) / (bills[:, :3].mean(axis=1).clip(0) + 2000))
    logit = (
        *(-2.1 + 1.5 * (delays[:, 0] >= 2), 0.45 * (delays[:, 0] == 1), 0.35 * (delays[:, 1] >= 2)),
        *(0.12 * (delays >= 1).sum(axis=1), -0.38 * np.log(limit / 1.2e5), 0.7 * np.tanh(3 * (use - 0.75))),
        *(-0.3 * covered * (delays[:, 0] < 2), 0.0009 * (age - 42) ** 2, -0.15 * (sex == 2), 0.12 * (schooling == 3)),
        0.5 * ((delays[:, 0] == 0) & (use > 0.8) & (paid[:, 0] < 0.05 * limit)),
    )
    columns = np.column_stack([limit, sex, schooling, married, age, delays, bills, paid]).astype(np.float64)
    return columns, 1 / (1 + np.exp(-sum(logit)))


def _months(
    generator: np.random.Generator, limit: FloatArray, wealth: FloatArray, care: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Delays, bills and payments of six months, the last month first: each float64 (rows, 6)."""
    rows = len(limit)
    delays, bills, paid = np.empty((3, rows, 6))
    state = generator.normal(-0.3, 0.8, rows) - 0.8 * care
    level = limit / (1 + np.exp(-(generator.normal(-0.6, 1.1, rows) - 0.5 * care)))
    for month in reversed(range(6)):
        state = 0.85 * state - 0.12 * care + generator.normal(0, 0.55, rows)
        late = np.floor(1.6 * state + 0.4).clip(1, 8)
        delays[:, month] = np.select([state > 1.1, state < -1.1, state < -0.8], [late, -1, -2], 0)
        share = 1 / (1 + np.exp(-(generator.normal(-2, 1.2, rows) + 0.6 * care + 0.2 * wealth)))
        some = np.exp(generator.normal(6.5, 1.2, rows))
        paid[:, month] = np.where(delays[:, month] > 0, some, level * share).round()
        level = level + limit * 0.09 * np.exp(generator.normal(0, 0.6, rows)) - paid[:, month]
        level = level.clip(-1e3, 1.1 * limit)
        bills[:, month] = level.round()
    return delays, bills, paid


def made_pair(seed: int, train_rows: int = TRAIN_ROWS, test_rows: int = TEST_ROWS) -> Pair:
    """Makes a pair; about 22 % of the labels are 1."""
    generator = np.random.default_rng(seed)
    columns, probabilities = made_columns(generator, train_rows + test_rows)
    table = pd.DataFrame(columns, columns=[f"x{number}" for number in range(columns.shape[1])])
    table.insert(0, "y", (generator.random(len(table)) < probabilities).astype(int))
    table.insert(0, "id", [f"c{number}" for number in range(len(table))])
    held = {GUEST: list(table.columns[: GUEST_COLUMNS + 2]), HOST: ["id", *table.columns[GUEST_COLUMNS + 2 :]]}
    parts = {"train": table[:train_rows], "test": table[train_rows:]}
    frames = {party: {name: part[names] for name, part in parts.items()} for party, names in held.items()}
    return Pair(frames, probabilities[train_rows:])


def read_pair(arguments: argparse.Namespace) -> Pair:
    """Reads the files; without files of test rows, the same share of the ids is set aside as in the made pair."""
    tables = {party: pd.read_csv(getattr(arguments, party), dtype={"id": str}) for party in (GUEST, HOST)}
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
            "features": [{"columns": "x*", "kind": "numeric"}],
            "pinned_secret": bytes([place + seed] * SECRET_BYTES).hex(),
        }
        for place, (party, frames) in enumerate(pair.frames.items(), 1)
    }
    given[GUEST]["labels"] = {"default": {"rule": "y == 1"}}
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


def area(scores: FloatArray, labels: npt.ArrayLike) -> float:
    """The area under the ROC curve of probabilities."""
    return area_under_curve(np.asarray(scores, np.float32), np.asarray(labels, np.float32))


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
    for name in ("--guest", "--host", "--test-guest", "--test-host"):
        parser.add_argument(name, type=Path, help="CSV file of the pair")
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    for seed in arguments.seeds:
        pair = made_pair(seed) if arguments.guest is None else read_pair(arguments)
        found = measure(folder / f"credit-{seed}", pair, seed)
        print(f"seed {seed}: " + ", ".join(f"{name} {value:.4g}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
