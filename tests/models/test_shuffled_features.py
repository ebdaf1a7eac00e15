"""Packed features of which some come from other rows."""

import numpy as np
import pandas as pd

from party.configuration.features import DataSection
from party.configuration.strict import validate
from party.data.encoders import fit_encoders
from party.models.packing import pack
from tests.support.columns import columns_of

ROWS = 50
FEATURES = [
    {"column": "city", "kind": "vocabulary"},
    {"column": "genres", "kind": "multi_hot", "separator": "|"},
    {"column": "city", "kind": "hash", "buckets": 7, "name": "hashed"},
    {"column": "income", "kind": "numeric"},
]


def encoded():
    generator = np.random.default_rng(0)
    columns = columns_of(
        pd.DataFrame(
            {
                "city": generator.choice(["Ulm", "Bonn", "Kiel"], ROWS),
                "genres": ["|".join(generator.choice(["a", "b", "c"], 2, replace=False)) for _ in range(ROWS)],
                "income": [str(number) for number in range(ROWS)],
            }
        )
    )
    data = validate(DataSection, {"id": "ID", "datasets": {"train": "train.csv"}, "features": FEATURES}, "data")
    return data, pack(fit_encoders("alice", data.features, columns, "train.csv").encode(columns, "train.csv"))


def rows_of(packed, names):
    """The slots of some features, one row each."""
    slots = [slot for one in packed.features if one.name in names for slot in range(one.start, one.start + one.width)]
    indices, values = packed.whole()
    return np.concatenate([indices[:, slots].astype(float), values[:, slots]], axis=1)


def test_a_column_is_numbered_once_whatever_the_number_of_its_features():
    data, _ = encoded()
    assert data.feature_columns == ("city", "genres", "income")


def test_the_named_features_come_from_other_rows_and_all_others_stay():
    _, packed = encoded()
    indices, values = packed.whole()
    named, order = {"city", "hashed"}, np.random.default_rng(1).permutation(ROWS)
    found = packed.shuffled(named, order)
    np.testing.assert_array_equal(rows_of(found, named), rows_of(packed, named)[order])
    others = {one.name for one in packed.features} - named
    assert others == {"genres", "income"}
    np.testing.assert_array_equal(rows_of(found, others), rows_of(packed, others))
    for one, before in zip(packed.whole(), (indices, values), strict=True):
        np.testing.assert_array_equal(one, before)
