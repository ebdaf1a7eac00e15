"""Two parties with a history of films, three kinds of labels and models that are not the default."""

import numpy as np

from tests.support.organisations import make_frames

PARTIES = ("alice", "bob")
LABELS = {
    "liked": {"rule": "rating > 3", "class_weights": {"positive": 2.0}},
    "minutes": {"kind": "regression", "column": "minutes", "loss": "huber", "weight": 0.5},
    "mood": {"kind": "multi_class", "column": "mood", "classes": ["calm", "loud"]},
}
SEQUENCE = {"column": "seen", "kind": "sequence", "separator": " ", "maximum_length": 4, "target": "film"}
FILM = {"column": "film", "kind": "vocabulary"}
CITY = {"column": "city", "kind": "vocabulary"}
SMALL_BST = {"kind": "bst", "embedding_dimension": 4, "heads": 2, "units": [6], "pooling": "target_attention"}
SMALL_DNN = {"kind": "dnn", "embedding_dimension": 3, "units": [6]}
SMALL_MMOE = {"kind": "mmoe", "experts": 2, "expert_units": [5], "tower_units": [3]}


def frames():
    """Makes the usual rows with further labels, a history and a weight at bob."""
    made = make_frames(PARTIES, datasets=("train", "future"))
    generator = np.random.default_rng(8)
    for frame in made["bob"].values():
        count = len(frame)
        films = [f"film{number}" for number in range(20)]
        frame["seen"] = [" ".join(generator.choice(films, generator.integers(0, 6))) for _ in range(count)]
        frame["minutes"] = [f"{value:.2f}" for value in generator.normal(90, 20, count)]
        frame["mood"] = np.where(frame["film"].str[-1] > "5", "loud", "calm")
        frame["w"] = [f"{value:.2f}" for value in generator.random(count)]
    made["bob"]["future"] = made["bob"]["future"].drop(columns=["rating", "minutes", "mood", "w"])
    return made


def overrides(**bob):
    data = {
        "id": "ID",
        "datasets": {"train": "train.csv", "future": "future.csv"},
        "features": [FILM, SEQUENCE],
        "labels": LABELS,
        "unlabelled": ["future"],
        "sample_weight": "w",
    }
    return {
        "alice": {"model": SMALL_DNN},
        "bob": {"data": data, "model": SMALL_BST, "fuse": SMALL_MMOE, **bob},
    }
