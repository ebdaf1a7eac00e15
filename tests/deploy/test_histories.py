"""Histories hold what the user rated before, and never anything of the row's own moment or later."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from deploy.histories import HISTORY, with_histories

ratings = st.lists(st.tuples(st.sampled_from("uv"), st.sampled_from("abcdef"), st.integers(0, 5)), max_size=14)


def frame(rows):
    users, films, moments = zip(*rows, strict=True) if rows else ((), (), ())
    return pd.DataFrame({"UserID": users, "MovieID": films, "Timestamp": [str(one) for one in moments]}, dtype="str")


@given(ratings, st.integers(1, 4))
def test_nothing_of_the_same_moment_or_later_is_in_a_history(rows, length):
    table = with_histories(frame(rows), length)
    assert len(table) == len(rows)
    for (user, _, moment), history in zip(rows, table[HISTORY] if rows else [], strict=True):
        earlier = sorted((m, film) for u, film, m in rows if u == user and m < moment)
        assert history.split() == [film for _, film in earlier][-length:]


def test_moments_are_numbers_and_not_texts():
    table = with_histories(frame([("u", "a", 9), ("u", "b", 10), ("u", "c", 11)]), 2)
    assert table[HISTORY].tolist() == ["", "a", "a b"]
