"""Groups of rows: distinct texts, or parts of equal size of a column of numbers."""

import numpy as np
import pandas as pd
import pytest

from party.data.groups import MOST_TEXTS, NUMBER_GROUPS, equal_cells, group_counts, row_groups
from party.errors import DataError
from party.metrics.groups import NO_GROUP
from tests.support.columns import columns_of

ROWS = 400


def grouped(*, training=None, **columns):
    frame = pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in columns.items()})
    rows = np.arange(len(frame)) if training is None else training
    return row_groups(columns_of(frame), list(columns), rows, "alice: train.csv")


def test_rows_of_one_text_are_one_group():
    texts = ["a", "", "b", "a", ""]
    (groups,) = grouped(city=texts).T
    assert groups.dtype == np.int32
    for one, mine in zip(texts, groups, strict=True):
        assert [place for place, other in enumerate(texts) if other == one] == np.flatnonzero(groups == mine).tolist()


def test_many_numbers_are_cut_into_groups_of_equal_size():
    numbers = np.random.default_rng(1).permutation(ROWS) ** 2
    (groups,) = grouped(income=[str(number) for number in numbers]).T
    assert np.bincount(groups).tolist() == [ROWS // NUMBER_GROUPS] * NUMBER_GROUPS
    order = np.argsort(numbers)
    assert (np.diff(groups[order]) >= 0).all()


def test_cuts_come_from_training_rows_and_missing_numbers_are_a_group():
    numbers = [str(number) for number in range(ROWS - 2)] + ["", ""]
    training = np.arange(80)
    (groups,) = grouped(income=numbers, training=training).T
    assert np.bincount(groups[:80], minlength=NUMBER_GROUPS + 1).tolist() == [10] * NUMBER_GROUPS + [0]
    assert set(groups[80:-2]) == {NUMBER_GROUPS - 1}
    assert set(groups[-2:]) == {NUMBER_GROUPS}
    (unknown,) = grouped(income=numbers, training=np.array([ROWS - 1])).T
    assert set(unknown) == {0, NUMBER_GROUPS}


def test_many_texts_are_refused_and_counted():
    few = [f"text {number % MOST_TEXTS}" for number in range(ROWS)]
    assert len(np.unique(grouped(note=few))) == MOST_TEXTS
    many = [*few[:-3], "one more", "7", "7"]
    with pytest.raises(DataError) as refused:
        grouped(note=many)
    assert "received 66 distinct cells, 398 rows without a number" in str(refused.value)
    assert "more" not in refused.value.public_message


def test_equal_cells_are_one_group_whose_number_depends_on_no_order():
    generator = np.random.default_rng(2)
    texts = generator.choice(["", *(f"user {number}" for number in range(90))], ROWS)
    order = generator.permutation(ROWS)
    groups, shuffled = (
        equal_cells(columns_of(pd.DataFrame({"user": pd.Series(part, dtype="str")})), ["user"])[:, 0]
        for part in (texts, texts[order])
    )
    np.testing.assert_array_equal(groups[order], shuffled)
    np.testing.assert_array_equal(groups == NO_GROUP, texts == "")
    assert {(text, group) for text, group in zip(texts, groups, strict=True)} == set(
        dict(zip(texts, groups, strict=True)).items()
    )
    assert len(np.unique(groups)) == len(np.unique(texts))


def test_groups_of_metrics_are_counted():
    users = columns_of(pd.DataFrame({"user": pd.Series(["a", "b", "a", "", "a"], dtype="str")}))
    assert [one.words for one in group_counts(users, ["user"])] == [
        "metrics by user: 2 groups, of 3 rows at most; rows in none, as their cell is empty: 1"
    ]
