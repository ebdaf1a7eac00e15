"""Made tables of two banks with the shape of FATE's `default_credit` pair, and what a newcomer says of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from party.metrics.area_under_curve import area_under_curve

TRAIN_ROWS, TEST_ROWS = 22_000, 8_000
GUEST, HOST = "bob", "alice"  # bob holds the labels
GUEST_COLUMNS = 13  # x0 to x12, beside the label; the host has the other ten
FEATURES = [{"columns": "x*", "kind": "numeric"}]
LABELS = {"default": {"rule": "y == 1"}}
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


def area(scores: FloatArray, labels: npt.ArrayLike) -> float:
    """The area under the ROC curve of probabilities."""
    return area_under_curve(np.asarray(scores, np.float32), np.asarray(labels, np.float32))
