"""A row source gives what indexing gives, row by row in the order that was asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from party.data.labels import LabelArrays
from party.data.rows import InMemoryRows, label_rows
from party.errors import DataError

ROWS = 12
NUMBERS = np.arange(ROWS * 3, dtype=np.float32).reshape(ROWS, 3)
ARRAYS = {
    "codes": np.arange(ROWS * 2, dtype=np.int32).reshape(ROWS, 2),
    "numbers": NUMBERS,
    "alone": np.arange(ROWS, dtype=np.float32),
    "cubes": np.arange(ROWS * 8, dtype=np.int32).reshape(ROWS, 2, 4),
    "reversed": NUMBERS[::-1],
    "transposed": np.asfortranarray(NUMBERS),
}
any_rows = arrays(np.int32, st.integers(0, 30), elements=st.integers(0, ROWS - 1))


@given(any_rows)
def test_gathering_is_indexing(rows):
    gathered = InMemoryRows(ARRAYS).gather(rows)
    assert list(gathered) == list(ARRAYS)
    for name, array in gathered.items():
        assert array.dtype == ARRAYS[name].dtype
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, ARRAYS[name][rows])


@given(any_rows, any_rows)
def test_rows_of_two_batches_are_those_of_both_together(first, second):
    source = InMemoryRows(ARRAYS)
    together = source.gather(np.concatenate([first, second]))
    apart = [source.gather(rows) for rows in (first, second)]
    for name, array in together.items():
        np.testing.assert_array_equal(array, np.concatenate([one[name] for one in apart]))


def test_what_was_gathered_is_a_copy():
    source, rows = InMemoryRows(ARRAYS), np.array([3, 3, 0], np.int32)
    for array in source.gather(rows).values():
        array[...] = -1
    np.testing.assert_array_equal(source.gather(rows)["numbers"], NUMBERS[rows])


@pytest.mark.parametrize("row", [ROWS, -1, np.iinfo(np.int32).max, np.iinfo(np.int32).min])
def test_a_number_of_no_row_is_refused(row):
    with pytest.raises(IndexError):
        InMemoryRows(ARRAYS).gather(np.array([0, row], np.int32))


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(DataError, match=f"as many rows; received {ROWS - 1} to {ROWS} rows"):
        InMemoryRows({"codes": ARRAYS["codes"], "short": NUMBERS[1:]})


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint8, np.bool_])
def test_other_types_are_refused(dtype):
    with pytest.raises(DataError, match="array wide cannot be gathered; expected int32, float32"):
        InMemoryRows({"wide": NUMBERS.astype(dtype)})


def test_labels_come_with_weights_where_rows_have_any():
    rows = np.array([5, 1, 5], np.int32)
    plain = label_rows(LabelArrays(NUMBERS)).gather(rows)
    assert list(plain) == ["labels"]
    np.testing.assert_array_equal(plain["labels"], NUMBERS[rows])
    weighted = label_rows(LabelArrays(NUMBERS, NUMBERS + 1)).gather(rows)
    assert list(weighted) == ["labels", "weights"]
    np.testing.assert_array_equal(weighted["weights"], NUMBERS[rows] + 1)
