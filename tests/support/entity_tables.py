"""Three natural tables with three keys, in memory: rows at the label party, users at alice, films at charlie."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from party.data.entities import ABSENT, RowMap
from tests.support.keras_models import IDS, SLOTS

ALICE, CHARLIE = "alice", "charlie"
KEYS = {ALICE: "user", CHARLIE: "film"}
USERS, FILMS, RATINGS = 17, 11, 150


def _features(generator, rows):
    ids = pd.DataFrame(generator.integers(0, IDS, (rows, SLOTS)), columns=[f"id_{slot}" for slot in range(SLOTS)])
    return pd.concat([ids, pd.DataFrame(generator.normal(size=(rows, 2)), columns=["x", "y"])], axis=1)


def inputs_of(frame):
    """Returns the inputs of a base model from a frame with its columns."""
    ids = frame[[f"id_{slot}" for slot in range(SLOTS)]].to_numpy(np.int32)
    return {"ids": ids, "numbers": frame[["x", "y"]].to_numpy(np.float32)}


@dataclass
class Tables:
    """Frames of the label party, of alice and of charlie, and the label of each row."""

    ratings: pd.DataFrame
    owned: dict
    labels: np.ndarray

    def joined(self, party):
        """Returns the features of a party for each row, by a join of pandas; NaN in rows without a partner."""
        own = self.owned[party]
        return self.ratings[[KEYS[party]]].merge(own, how="left", on=KEYS[party], validate="many_to_one")

    def row_map(self, party):
        """Returns the row map of a party, made by looking up one key after the other."""
        number = {key: place for place, key in enumerate(self.owned[party][KEYS[party]])}
        entities = [number.get(key, ABSENT) for key in self.ratings[KEYS[party]]]
        return RowMap(np.array(entities, np.int32), len(number))


def make_tables(kinds, seed=3):
    """Makes the tables; a third of the keys has no partner, and rows without one stay where the join is `left`."""
    generator = np.random.default_rng(seed)
    keys = {"user": [f"u{one:02}" for one in range(USERS)], "film": [f"f{one:02}" for one in range(FILMS)]}
    ratings = pd.DataFrame({key: generator.choice([*texts, ""], RATINGS) for key, texts in keys.items()})
    ratings = pd.concat([ratings, _features(generator, RATINGS)], axis=1)
    owned = {}
    for party, key in KEYS.items():
        known = [one for one in keys[key] if generator.random() < 0.7]
        owned[party] = pd.concat([pd.Series(known, name=key), _features(generator, len(known))], axis=1)
        if kinds[party] == "inner":
            ratings = ratings[ratings[key].isin(known)].reset_index(drop=True)
    labels = (generator.random(len(ratings)) < 0.5).astype(np.float32)
    return Tables(ratings, owned, labels)
