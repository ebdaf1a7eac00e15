"""Ids refer to the texts of a file: chosen and ordered rows are those of a list of texts."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from party.data import ids as module
from party.data.ids import Ids, ids_of

TEXTS = st.lists(st.text(alphabet="ab\0é\U00010000", max_size=3), min_size=1, max_size=30, unique=True)


def rows_of(data, count):
    rows = data.draw(st.lists(st.sampled_from(range(count)), min_size=1, max_size=20, unique=True))
    return np.array(rows, np.int32)


@given(texts=TEXTS, cut=st.integers(0, 30), data=st.data())
def test_chosen_rows_are_those_of_a_list(texts, cut, data):
    pieces = pa.chunked_array([pa.array(part, pa.large_string()) for part in (texts[:cut], texts[cut:])])
    every = Ids("user", pieces)
    rows = rows_of(data, len(texts))
    some = every.take(rows)
    again = rows_of(data, len(some))
    assert every.tolist() == texts
    assert some.tolist() == every.of(rows) == [texts[row] for row in rows]
    assert some.take(again).tolist() == some.of(again) == [texts[rows[row]] for row in again]
    assert some.texts().to_pylist() == some.tolist()
    assert (len(every), len(some), some.name) == (len(texts), len(rows), "user")


@given(texts=TEXTS, data=st.data())
def test_rows_are_ordered_by_the_bytes_of_their_ids(texts, data):
    some = ids_of(texts).take(rows_of(data, len(texts)))
    chosen = rows_of(data, len(some))
    for rows in (None, chosen):
        expected = range(len(some)) if rows is None else rows.tolist()
        assert some.by_text(rows).tolist() == sorted(expected, key=lambda row: some.tolist()[row].encode())


@given(texts=TEXTS, others=TEXTS, data=st.data())
def test_ids_follow_those_of_the_same_file_and_of_another(texts, others, data):
    every = ids_of(texts)
    some = every.take(rows_of(data, len(texts)))
    assert every.followed_by(ids_of(others)).tolist() == texts + others
    assert some.followed_by(every).tolist() == some.tolist() + texts
    assert every.followed_by(some).tolist() == texts + some.tolist()


def test_blocks_are_all_ids_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_ROWS", 4)
    texts = [f"u{number}" for number in range(10)]
    assert list(ids_of(texts).blocks()) == [texts[:4], texts[4:8], texts[8:]]
