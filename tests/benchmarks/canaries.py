"""Canaries: rows whose label is a fair coin, so that no feature says anything of it and only epsilon bounds attacks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from party.audit.attacks.label_material import LabelMaterial

# The column of the label, and a cell for each side of the coin.
COINS = {"movielens": ("Rating", ("1", "5")), "adult": ("income", ("<=50K", ">50K"))}


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedMaterial(LabelMaterial):
    """Attacks use all rows; some of them alone are judged.

    Attributes:
        judged: bool by row of the common order.
    """

    judged: np.ndarray = dataclasses.field(repr=False)

    def result(self, attack, attacker_has, scores, **about):
        area, error = self.area_of(scores.sums[scores.judged], scores.judged)
        told = super().result(attack, attacker_has, scores, **about)
        return dataclasses.replace(told, one_step=None, all_epochs=area, standard_error=error)

    def area_of(self, scores, rows):
        chosen = self.judged[rows]
        return super().area_of(scores[chosen], rows[chosen])


def put_canaries(path, name, share, seed):
    """Replaces the labels of random rows of a file by fair coins, and returns the ids of these rows."""
    column, sides = COINS[name]
    as_text = path.suffix == ".csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False) if as_text else pd.read_parquet(path)
    generator = np.random.default_rng(seed)
    canaries = generator.random(len(frame)) < share
    coins = generator.integers(2, size=int(canaries.sum()))
    frame.loc[canaries, column] = np.array(sides, object)[coins]
    if as_text:
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return frame.loc[canaries, "ID"].tolist()
