"""Orders that are found part by part are those that a single sort finds."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.data import order
from party.data.sorting import order_by_text, order_by_words

TEXTS = st.text(alphabet="ab\0é\uffff\U00010000", max_size=4)
WORDS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 2**62, 2**63, 2**64 - 1])), max_size=40)


@given(texts=st.lists(TEXTS, min_size=1, max_size=60), together=st.integers(1, 70), data=st.data())
def test_texts_are_in_the_order_of_their_bytes_whatever_is_sorted_at_a_time(texts, together, data):
    stored = pa.array(texts, pa.large_string())
    chosen = data.draw(st.lists(st.sampled_from(range(len(texts))), min_size=1))
    for rows in (None, np.array(chosen)):
        found = order_by_text(stored, rows, together=together)
        ordered = texts if rows is None else [texts[row] for row in chosen]
        assert found.tolist() == sorted(range(len(ordered)), key=lambda place: ordered[place].encode())
        assert found.dtype == np.int32


@given(words=WORDS, together=st.integers(1, 50), block=st.integers(1, 50))
def test_numbers_are_in_order_and_equal_ones_in_that_of_the_rows(words, together, block):
    numbers = np.array(words, np.uint64).reshape(-1, 2)

    def blocks():
        return (numbers[start : start + block] for start in range(0, len(numbers), block))

    found = order_by_words(blocks, len(words), together=together)
    assert found.tolist() == sorted(range(len(words)), key=lambda row: (words[row][1], words[row][0], row))


@pytest.mark.parametrize("rows", [1000, 4096, 10_001])
def test_an_order_of_rows_does_not_depend_on_how_many_are_sorted_at_a_time(monkeypatch, rows):
    key = bytes(range(32))
    whole = order.permutation(key, "shuffle", 3, rows)
    by_parts = order.order_by_words
    monkeypatch.setattr(order, "SORTED_TOGETHER", 0)
    monkeypatch.setattr(order, "_DRAWN_TOGETHER", 700)
    monkeypatch.setattr(order, "order_by_words", lambda blocks, rows: by_parts(blocks, rows, together=900))
    assert order.permutation(key, "shuffle", 3, rows).tolist() == whole.tolist()
