"""Texts that repeat, against a count by Python."""

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from party.data import repeated_texts as module
from party.data.repeated_texts import repeated_texts

TEXTS = st.lists(st.text(alphabet="ab\0é\U00010000", max_size=3), max_size=30)


@given(texts=TEXTS, cut=st.integers(0, 30))
def test_repeated_texts_are_those_of_a_counter(texts, cut):
    expected = sum(count > 1 for count in Counter(texts).values())
    whole = pa.array(texts, pa.large_string())
    assert repeated_texts(whole) == expected
    assert repeated_texts(pa.chunked_array([whole.slice(0, cut), whole.slice(cut)])) == expected


def test_texts_with_equal_hashes_are_compared_as_they_are(monkeypatch):
    monkeypatch.setattr(module, "_hashes", lambda texts: np.zeros(len(texts), np.uint64))
    assert repeated_texts(pa.array(["a", "b", "c", "b"], pa.large_string())) == 1


def test_no_two_of_many_texts_share_a_hash():
    texts = pa.array([f"u{number:07d}" for number in range(300_000)], pa.large_string())
    assert len(np.unique(module._hashes(texts))) == len(texts)
