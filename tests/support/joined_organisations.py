"""Organisations whose tables are joined: events at bob with a user of alice and a film of charlie."""

import numpy as np
import pandas as pd

from tests.support.organisations import EXACT_METRICS, Organisations

NAMES = ("alice", "bob", "charlie")
USERS, FILMS = "users", "films"
POLICY = {"minimum_metric_rows": 1, **EXACT_METRICS, "reveal_row_counts": ["alice", "charlie"]}
USER_JOIN = {"peer": "alice", "key": "UserID", "table": USERS, "transforms": ["strip", "lower"]}
FILM_JOIN = {"peer": "charlie", "key": ["Title", "Year"], "table": FILMS}


def users(count=30, seed=1):
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "UserID": [f"  U{number:03d} " for number in range(count)],  # bob writes them otherwise: see USER_JOIN
            "city": generator.choice(["Ulm", "Köln", "Bonn", ""], count),
            "income": [f"{value:.2f}" for value in generator.normal(3000, 800, count)],
        }
    )


def films(count=12, seed=2):
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "Title": [f"film{number % 6}" for number in range(count)],
            "Year": [str(2000 + number // 6) for number in range(count)],
            "shop": generator.choice(["north", "south", "east"], count),
        }
    )


def events(rows=240, *, dataset="train", seed=3, known_users=30, known_films=12):
    """Rows with keys that repeat; some find no partner, some are empty."""
    generator = np.random.default_rng(seed)
    user = generator.integers(0, known_users + 4, rows)  # the last four are nobody's
    film = generator.integers(0, known_films + 2, rows)
    frame = pd.DataFrame(
        {
            "Event": [f"{dataset}-{number:05d}" for number in range(rows)],
            "UserID": [f"u{number:03d}" for number in user],
            "Title": [f"film{number % 6}" for number in film],
            "Year": [str(2000 + number // 6) for number in film],
            "film": generator.choice([f"kind{number}" for number in range(5)], rows),
            "genres": generator.choice(["drama", "drama|crime", "war", ""], rows),
            "rating": np.where(generator.random(rows) + (user % 2) * 0.5 > 0.8, "5", "2"),
        }
    )
    frame.loc[::17, "UserID"] = ""
    frame.loc[::19, "Year"] = ""
    return frame


def described(kinds=("inner", "inner"), datasets=("train", "test"), *, with_id=True, **frames):
    """Overrides of the parties: `kinds` of the joins with alice and charlie; `frames` replaces the parties' files."""
    made = {
        dataset: events(240 if dataset == "train" else 80, dataset=dataset, seed=3 + place)
        for place, dataset in enumerate(datasets)
    }
    bob = {
        "frames": frames.get("bob", made),
        "joins": [{**USER_JOIN, "kind": kinds[0]}, {**FILM_JOIN, "kind": kinds[1]}],
        "policy": POLICY,
        **({"id": "Event"} if with_id else {}),
    }
    return {
        "alice": {
            "frames": {},
            "tables": frames.get("alice", {USERS: users()}),
            "id": "UserID",
            "data": {"transforms": ["strip", "lower"]},
        },
        "bob": bob,
        "charlie": {"frames": {}, "tables": frames.get("charlie", {FILMS: films()}), "id": ["Title", "Year"]},
    }


class JoinedOrganisations(Organisations):
    """A federation of three parties with joins.

    Args:
        folder: empty, private.
        overrides: by party, keys of its description, as `described` makes them.
        training: the `training` section of the run.
        names: parties; bob is the label party.
    """

    def __init__(self, folder, overrides=None, training=None, names=NAMES):
        overrides = overrides or described()
        frames = {name: overrides.get(name, {}).get("frames", {}) for name in names}
        super().__init__(folder, names, frames=frames, training=training, overrides=overrides)
        self._files._run["alignment"] = {"datasets": sorted(frames[self.label_party]), "chunk_rows": 64}
