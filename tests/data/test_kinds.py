import hashlib
import statistics

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.encoding import CANARY, TEXTS, encode, failure, feature

# hash


@pytest.mark.parametrize(
    ("salt", "text", "bucket"),
    [("", "a", 145795), ("", "user-17", 36774), ("pepper", "a", 459283), ("", "é", 92873), ("", " ", 609700)],
)
def test_hashes_never_change(salt, text, bucket):
    assert encode(feature("hash", buckets=1_000_000, salt=salt), [text]).indices.tolist() == [[bucket]]


@given(st.lists(TEXTS, min_size=1), st.text(max_size=8), st.integers(1, 2**31 - 2))
def test_hash_is_a_keyed_digest(texts, salt, buckets):
    result = encode(feature("hash", buckets=buckets, salt=salt, exact=True), texts)
    key = hashlib.sha256(salt.encode("utf-8")).digest()
    for text, (index,) in zip(texts, result.indices.tolist(), strict=True):
        digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8, key=key).hexdigest()
        assert index == (int(digest, 16) % buckets + 1 if text else 0)
    assert result.size == buckets + 1
    assert (result.values == 1).all()


def test_hash_treats_listed_texts_as_missing():
    one = feature("hash", buckets=10, missing=("?", "unknown"))
    indices = encode(one, ["", "?", "unknown", " ?", "Unknown"]).indices[:, 0]
    assert (indices == 0).tolist() == [True, True, True, False, False]


# vocabulary


def test_vocabulary_holds_missing_unknown_and_the_texts_by_bytes():
    training = ["b", "\uffff", "a", "𝄞", "B", "é", "b", "", "?"]
    one = feature("vocabulary", missing=("?",))
    result = encode(one, training, ["", "?", "z", "B", "a", "b", "é", "\uffff", "𝄞", "b "])
    # In UTF-16, which some languages sort by, the last two would change places.
    assert result.indices[:, 0].tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 7, 1]
    assert result.size == 8
    assert (result.values == 1).all()


def test_rare_texts_are_unknown():
    result = encode(feature("vocabulary", minimum_count=2), ["a", "b", "b", "c", "c", "c"], ["a", "b", "c"])
    assert result.indices[:, 0].tolist() == [1, 2, 3]
    assert result.size == 4


def test_the_most_frequent_texts_are_kept_and_ties_go_by_bytes():
    training = ["d", "d", "d", "c", "c", "b", "b", "a"]
    result = encode(feature("vocabulary", maximum_size=2), training, ["a", "b", "c", "d"])
    assert result.indices[:, 0].tolist() == [1, 2, 1, 3]
    assert result.size == 4


def test_given_values_keep_their_order():
    one = feature("vocabulary", values=("z", "a", "m"), minimum_count=5)
    result = encode(one, ["q"], ["a", "m", "z", "q", ""])
    assert result.indices[:, 0].tolist() == [3, 4, 2, 1, 0]
    assert result.size == 5


def test_values_given_twice_are_refused_without_repeating_them():
    message = failure(feature("vocabulary", values=(CANARY, "b", CANARY)), ["a"])
    assert "given twice" in message
    assert CANARY not in message


# integer buckets


def test_boundaries_are_inclusive_lower_bounds():
    cells = ["", "-3", "0", "9", "10", "11", "19", "20", "1000", " 10 ", "+20", "10.0", "020"]
    result = encode(feature("integer_buckets", boundaries=(0, 10, 20)), cells)
    assert result.indices[:, 0].tolist() == [0, 1, 2, 2, 3, 3, 3, 4, 4, 3, 4, 3, 4]
    assert result.size == 5
    assert (result.values == 1).all()


@given(st.lists(st.integers(), min_size=1, max_size=6, unique=True).map(sorted), st.lists(st.integers(), min_size=1))
def test_bucket_counts_the_boundaries_reached(boundaries, numbers):
    result = encode(feature("integer_buckets", boundaries=tuple(boundaries)), [str(number) for number in numbers])
    expected = [1 + sum(boundary <= number for boundary in boundaries) for number in numbers]
    assert result.indices[:, 0].tolist() == expected


@pytest.mark.parametrize("cell", ["x", "1.5", "1e-3", "1_0", "٣", "nan", "inf", " ", "0x1", "1,5", "9" * 5000])
def test_malformed_integers_are_counted_or_missing(cell):
    cells = ["1", cell, "", cell]
    message = failure(feature("integer_buckets", boundaries=(0,)), ["1"], cells)
    assert message.startswith("alice: test.csv: column x: malformed cells")
    assert "2 rows" in message
    lenient = feature("integer_buckets", boundaries=(0,), malformed="missing")
    assert encode(lenient, ["1"], cells).indices[:, 0].tolist() == [2, 0, 0, 0]
    listed = feature("integer_buckets", boundaries=(0,), missing=(cell,))
    assert encode(listed, cells).indices[:, 0].tolist() == [2, 0, 0, 0]


# numeric


def test_numbers_are_standardised_by_hand():
    result = encode(feature("numeric"), ["2", "4", "4", "4", "5", "5", "7", "9"], ["5", "9", "1", "", " 7e0 "])
    assert result.values[:, 0].tolist() == [0.0, 2.0, -2.0, 0.0, 1.0]
    assert (result.indices == 0).all()
    assert result.size == 1


@given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=40))
def test_training_rows_have_mean_0_and_deviation_1(numbers):
    assume(len(set(numbers)) > 1)
    values = encode(feature("numeric"), [str(number) for number in numbers]).values[:, 0].astype(np.float64)
    assert abs(values.mean()) < 1e-6
    assert abs(values.std() - 1) < 1e-5


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=40))
def test_precision_survives_a_large_mean(thousandths):
    assume(len(set(thousandths)) > 1)
    cells = [f"1000000.{number:03d}" for number in thousandths if number < 1000] + ["1000001.000"]
    assume(len(set(cells)) > 1)
    exact = [int(cell.replace(".", "")) for cell in cells]
    mean, deviation = statistics.fmean(exact), statistics.pstdev(exact)
    values = encode(feature("numeric"), cells).values[:, 0]
    np.testing.assert_allclose(values, [(one - mean) / deviation for one in exact], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", ["0.1", "0", "-1e20", "1000000.7"])
@pytest.mark.parametrize("rows", [1, 3, 7])
def test_a_constant_column_becomes_0(cell, rows):
    assert encode(feature("numeric"), [cell] * rows).values[:, 0].tolist() == [0.0] * rows


def test_a_deviation_too_small_to_represent_counts_as_none():
    assert encode(feature("numeric"), ["0", "1e-200"], ["2"]).values[:, 0].tolist() == [2.0]


def test_missing_numbers_do_not_count_for_the_mean():
    one = feature("numeric", missing=("-1",))
    assert encode(one, ["1", "3", "", "-1"]).values[:, 0].tolist() == [-1.0, 1.0, 0.0, 0.0]


def test_a_column_without_numbers_is_all_missing():
    assert encode(feature("numeric"), ["", ""]).values[:, 0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("cell", ["x", "nan", "inf", "-Infinity", "1e999", "1_0", "٣", "1,5", "0x1", " ", "1e", "."])
def test_malformed_numbers_are_counted_or_missing(cell):
    cells = ["1", cell, "3", cell, cell]
    message = failure(feature("numeric"), cells)
    assert message.startswith("alice: train.csv: column x: malformed cells")
    assert "3 rows" in message
    assert encode(feature("numeric", malformed="missing"), cells).values[:, 0].tolist() == [-1.0, 0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("training", "cells"), [(["1e200", "-1e200"], None), (["1e308", "1e308", "1"], None), (["1", "2"], ["1e300"])]
)
def test_numbers_too_far_apart_are_refused(training, cells):
    assert "too far apart" in failure(feature("numeric"), training, cells)


# multi-hot


def test_multi_hot_rows_are_padded_ascending_sets():
    one = feature("multi_hot", separator="|", missing=("(none)",))
    result = encode(one, ["b|a", "c| a |b", "", "(none)", "a|a||", "|"])
    assert result.indices.tolist() == [[2, 3, 0], [2, 3, 4], [0, 0, 0], [0, 0, 0], [2, 0, 0], [0, 0, 0]]
    assert result.values.tolist() == [[1, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert result.size == 5


def test_multi_hot_knows_unknown_once_and_counts_rows():
    one = feature("multi_hot", separator=" ", minimum_count=2)
    result = encode(one, ["a b c", "a a", "b", "d d"], ["a", "c d b", "q"])
    assert result.indices.tolist() == [[2, 0, 0], [1, 3, 0], [1, 0, 0]]
    assert result.values.tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 0]]


def test_equal_cells_count_for_each_of_their_rows():
    result = encode(feature("multi_hot", separator=" ", minimum_count=2), ["a b", "c", "a b"], ["b a", "c"])
    assert result.indices.tolist() == [[2, 3], [1, 0]]


def test_a_wider_later_cell_keeps_the_first_known_values():
    result = encode(feature("multi_hot", separator=","), ["a,b", "c,d"], ["d,c,b,a", "q,a", "q,d,a", "q,r"])
    assert result.indices.tolist() == [[2, 3], [1, 2], [2, 5], [1, 0]]


def test_multi_hot_without_values_has_width_1():
    result = encode(feature("multi_hot", separator=","), ["", ","])
    assert result.indices.tolist() == [[0], [0]]
    assert result.size == 2


def test_too_many_values_are_counted():
    one = feature("multi_hot", separator=",", maximum_values=2)
    message = failure(one, ["a,b", "a,b,a"], ["a,b,c", "d,e,f", "a,b,c"])
    assert "alice: test.csv: column x" in message
    assert "3 rows with more" in message
