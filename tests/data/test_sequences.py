"""Sequences: the latest values in order, padded in front, with a vocabulary of their own or the target's."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.configuration.features import DataSection
from party.configuration.strict import validate
from party.data.encoders import encoders_from_json, fit_encoders
from party.errors import ConfigurationError
from party.models.packing import pack
from tests.support.columns import columns_of

FILM = {"column": "film", "kind": "vocabulary"}


def section(**changes):
    sequence = {"column": "seen", "kind": "sequence", "separator": " ", "maximum_length": 3, **changes}
    content = {"id": "ID", "datasets": {"train": "train.csv"}, "features": [FILM, sequence]}
    return validate(DataSection, content, "alice.yaml")


def encode(rows, training=None, **changes):
    features = section(**changes).features
    frame = columns_of(pd.DataFrame(rows, columns=["film", "seen"], dtype="str"))
    fitted = frame
    if training is not None:
        fitted = columns_of(pd.DataFrame(training, columns=["film", "seen"], dtype="str"))
    encoders = fit_encoders("alice", features, fitted, "train.csv")
    again = encoders_from_json(encoders.to_json(), features)
    film, seen = again.encode(frame, "train.csv")
    return film, seen


def test_the_latest_values_come_last_and_padding_in_front():
    _, seen = encode([["a", "a b c d"], ["b", " b  a "], ["c", ""], ["d", "e"]], target="film")
    # Index 0 pads, 1 is unknown, then the films a, b, c, d.
    assert seen.indices.tolist() == [[3, 4, 5], [0, 3, 2], [0, 0, 0], [0, 0, 1]]
    assert seen.values.tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 0], [0, 0, 1]]
    assert (seen.size, seen.table, seen.target) == (6, "film", "film")


def test_without_a_target_the_vocabulary_is_its_own():
    _, seen = encode([["a", "x y y"], ["b", "y z"]], minimum_count=2)
    assert seen.indices.tolist() == [[1, 2, 2], [0, 2, 1]]  # y alone stands in two rows
    assert (seen.size, seen.table, seen.target) == (3, "seen", None)


def test_values_that_were_cut_off_are_not_learned():
    _, seen = encode([["a", "old x y z"]])
    assert seen.size == 2 + 3


def test_a_shared_table_is_packed_once():
    rows = [["a", "b a"], ["b", "a"]]
    shared, apart = (pack(encode(rows, target="film", share_embedding=share)) for share in (True, False))
    assert (shared.size, apart.size) == (4, 8)
    film, seen = shared.features
    assert (film.start, film.width, seen.start, seen.width, seen.target) == (0, 1, 1, 3, "film")
    assert shared.whole()[0][0].tolist() == [2, 0, 3, 2]  # the film a is the same row in both
    assert apart.whole()[0][0].tolist() == [2, 4, 7, 6]


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=8))
def test_every_row_is_the_end_of_its_sequence(histories):
    rows = [["a", " ".join(history)] for history in histories]
    _, seen = encode(rows, training=[["a", " ".join("abcdef"[:3])], ["a", " ".join("abcdef"[3:])]])
    names = ["", "?", *"abcdef"]
    for history, indices, values in zip(histories, seen.indices, seen.values, strict=True):
        kept = history[-3:]
        assert [names[index] for index in indices] == [""] * (3 - len(kept)) + kept
        np.testing.assert_array_equal(values, (indices > 0).astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"target": "flim"}, "target must be a vocabulary of this party; flim is no feature"),
        ({"target": "seen"}, "target must be a vocabulary of this party; seen is sequence"),
        ({"share_embedding": True}, "share_embedding needs a target"),
        ({"target": "film", "minimum_count": 2}, "minimum_count belongs to the target"),
        ({"maximum_length": 0}, "maximum_length"),
        ({"maximum_length": 5000}, "maximum_length"),
        ({"separator": ""}, "separator"),
        ({"pooling": "mean"}, "unknown key"),
    ],
)
def test_what_does_not_fit_is_refused(changes, text):
    with pytest.raises(ConfigurationError, match=text):
        section(**changes)
