"""Drawn labels of a dataset: weights follow what was drawn, and an id has one answer wherever it stands."""

from __future__ import annotations

import numpy as np
import pandas as pd

from party.configuration.features import DataSection
from party.configuration.strict import validate
from party.data.drawn_labels import DrawSource, draw_labels
from party.data.labels import LabelNoise, read_labels, read_sample_weights
from party.data.text_columns import TextColumns, text_column_of
from party.privacy.label_mechanism import LabelMechanism
from tests.support.columns import columns_of

ROWS = 2000
SOURCE = DrawSource(bytes(range(32)), 1)
SECTION = validate(
    DataSection,
    {
        "id": "ID",
        "datasets": {"train": "train.csv"},
        "labels": {
            "liked": {
                "rule": "stars > 3",
                "class_weights": {"negative": 1.0, "positive": 3.0},
                "privacy": {"epsilon": 1.0},
            },
            "genre": {
                "kind": "multi_class",
                "column": "genre",
                "classes": ["a", "b", "c"],
                "class_weights": {"b": 2.0},
                "privacy": {"epsilon": 1.0},
            },
            "hours": {
                "kind": "regression",
                "column": "hours",
                "privacy": {"epsilon": 1.0, "minimum": 0.0, "maximum": 10.0},
            },
        },
        "sample_weight": "w",
        "label_independent_weights": True,
    },
    "bank.yaml",
)


def _columns() -> TextColumns:
    rows = np.arange(ROWS)
    texts = {"stars": rows % 5 + 1, "genre": np.array(["a", "b", "c"])[rows % 3], "hours": rows % 11, "w": rows % 7}
    return columns_of(pd.DataFrame({name: cells.astype(str) for name, cells in texts.items()}))


def _ids() -> list[str]:
    return [f"id {row}" for row in range(ROWS)]


def test_class_weights_follow_the_drawn_class_and_sample_weights_the_row() -> None:
    columns = _columns()
    true = read_labels("alice", SECTION, columns, "train.csv")
    weights = read_sample_weights("alice", SECTION, columns, "train.csv")
    assert weights is not None
    drawn = draw_labels(SECTION.labels, true.values, weights, _ids(), source=SOURCE)
    values = drawn.arrays.values
    assert (values[:, :2] != true.values[:, :2]).any(axis=0).all()
    by_class = [np.array([1.0, 3.0])[values[:, 0].astype(int)], np.array([1.0, 2.0, 1.0])[values[:, 1].astype(int)]]
    expected = np.stack([*by_class, np.ones(ROWS)], axis=1) * weights
    assert drawn.arrays.weights is not None
    assert (drawn.arrays.weights == expected).all()


def test_noise_is_that_of_the_mechanism() -> None:
    true = read_labels("alice", SECTION, _columns(), "train.csv")
    drawn = draw_labels(SECTION.labels, true.values, None, _ids(), source=SOURCE)
    assert list(drawn.noise) == ["liked", "genre", "hours"]
    assert drawn.noise == {
        name: LabelNoise(*replacement) for name, replacement in LabelMechanism(SECTION.labels).replacements.items()
    }
    targets = np.unique(drawn.arrays.values[:, 2])
    assert len(targets) == drawn.noise["hours"].symbols
    assert targets.min() < 0  # without bias, so beyond the bounds
    assert targets.max() > 10


def test_an_id_has_one_answer_in_every_dataset_and_another_in_the_next_generation() -> None:
    true = read_labels("alice", SECTION, _columns(), "train.csv").values
    whole = draw_labels(SECTION.labels, true, None, _ids(), source=SOURCE).arrays.values
    some = np.random.default_rng(1).permutation(ROWS)[:300]
    ids = [_ids()[row] for row in some]
    part = draw_labels(SECTION.labels, true[some], None, ids, source=SOURCE).arrays.values
    assert (part == whole[some]).all()
    other = draw_labels(SECTION.labels, true[some], None, ids, source=DrawSource(SOURCE.secret, 2)).arrays.values
    assert (other != part).any()


def test_private_labels_of_one_class_are_read_as_any_others() -> None:
    """Whether a session opens must not depend on labels."""
    columns = _columns().with_columns({"stars": text_column_of(["5"] * ROWS)})
    assert (read_labels("alice", SECTION, columns, "train.csv").values[:, 0] == 1).all()
