"""Lists as text, and values with numbers, in cells of several values."""

import ast
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from party.data.encoders import fit_encoders
from party.data.kinds.lists import MAXIMUM_CHARACTERS, read_list
from tests.support.encoding import encode, failure, feature, frame

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(["it's", 'a"b', "a, b", "\\"])
SCALARS = TEXTS | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()


def as_text(scalar):
    if isinstance(scalar, bool):
        return str(scalar).lower()
    if isinstance(scalar, float) and scalar.is_integer() and abs(scalar) < 2**53:
        return str(int(scalar))
    return scalar if isinstance(scalar, str) else repr(scalar)


@given(st.lists(SCALARS | st.none()))
def test_lists_of_json_and_python_are_read(elements):
    expected = [as_text(one) for one in elements if one is not None]
    assert read_list(json.dumps(elements)) == expected
    assert read_list(json.dumps(elements, ensure_ascii=False)) == expected
    assert read_list(repr(elements)) == expected
    assert read_list(repr(tuple(elements))) == expected


@given(st.lists(st.text("abc 'é", min_size=1, max_size=5), min_size=1, max_size=8))
def test_arrays_of_numpy_are_read(elements):
    assert read_list(str(np.array(elements, dtype=object))) == elements


@given(st.text("[]{}()'\"\\, \n1ab.e-", max_size=12))
def test_any_other_text_is_no_list(text):
    """What Python itself does not read as a list of texts and numbers is none, but for the notation of NumPy."""
    found = read_list(text)
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        value = None
    if found is not None and "," in text and isinstance(value, list | tuple):
        assert found == [as_text(one) for one in value]
    if isinstance(value, list) and any(isinstance(one, list | dict | tuple | set) for one in value):
        assert found is None


NO_LISTS = [
    *("", "a", "[a]", "[a, b]", "['a'", "['a']]", "[['a']]", "[{'a': 1}]", "{'a': 1}", "['a' 'b', 'c']", "[,]"),
    *("['a',,]", "['a''b']", "[1_0]", "[open('x')]", r"['\ud800']", "[...]", "['a']x"),
    f"[{'1,' * MAXIMUM_CHARACTERS}]",
]


@pytest.mark.parametrize("text", NO_LISTS, ids=range(len(NO_LISTS)))
def test_texts_that_are_no_lists(text):
    assert read_list(text) is None


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("[]", []),
        (" [ 'a' , ] ", ["a"]),
        ("{'a', 'b'}", ["a", "b"]),
        ("['a'\n 'b']", ["a", "b"]),
        ('["\\u00e9", "\\ud83d\\ude00", "a\\/b"]', ["é", "😀", "a/b"]),
        ("[1, 2.0, nan, None, null, True]", ["1", "2", "true"]),
        ("['\\d']", ["\\d"]),
    ],
)
def test_single_lists(text, elements):
    assert read_list(text) == elements


CELLS = ["['Action', 'Drama']", '["Drama", "Action"]', "['Drama']", "['Action']", "[]", ""]


def test_a_multi_hot_feature_reads_lists():
    result = encode(feature("multi_hot", lists=True), CELLS)
    assert result.indices.tolist() == [[2, 3], [2, 3], [3, 0], [2, 0], [0, 0], [0, 0]]
    assert result.size == 4


def test_a_sequence_reads_lists_in_their_order():
    result = encode(feature("sequence", lists=True, maximum_length=2), ["[3, 1, 2]", "[2]", "[]"])
    assert result.indices.tolist() == [[2, 3], [0, 3], [0, 0]]


@pytest.mark.parametrize("kind", ["multi_hot", "sequence"])
def test_cells_that_are_no_lists_are_counted(kind):
    settings = {"maximum_length": 3} if kind == "sequence" else {}
    one = feature(kind, lists=True, **settings)
    message = failure(one, ["['a']", "Canary", "['b']"])
    assert "malformed cells; expected lists of texts or numbers" in message
    assert "1 rows with something else; correct the file or, in data.features, list the texts under missing" in message
    assert "set separator in place of lists" in failure(one, ["a,b", "c", "['b']"])
    assert encode(feature(kind, lists=True, missing=("Canary",), **settings), ["['a']", "Canary"]).size == 3


def remarks(one, cells):
    said = []
    fit_encoders("alice", [one], frame(cells), "train.csv", warn=said.append)
    return said


@pytest.mark.parametrize("kind", ["multi_hot", "sequence"])
def test_lists_between_separators_are_said(kind):
    settings = {"maximum_length": 3} if kind == "sequence" else {}
    said = "column x: 5 of 5 rows are lists as Python and JSON write them: set lists: true in place of separator"
    assert remarks(feature(kind, separator=",", **settings), CELLS) == [said]
    assert remarks(feature(kind, separator=",", **settings), ["a,b", "(none)", "[x", "c"]) == []


# Values with numbers

TAGS = st.dictionaries(st.sampled_from("abcdefg"), st.integers(-40, 40).map(lambda one: one / 4), max_size=7)


@given(st.lists(TAGS, min_size=1, max_size=8))
def test_numbers_are_the_weights_of_their_values(rows):
    cells = [" ".join(f"{tag}:{number}" for tag, number in row.items()) for row in rows]
    result = encode(feature("multi_hot", separator=" ", value_separator=":"), cells)
    expected = pd.DataFrame(rows).reindex(columns=sorted({tag for row in rows for tag in row})).fillna(0.0)
    dense = np.zeros((len(rows), result.size), np.float32)
    for row, (indices, values) in enumerate(zip(result.indices, result.values, strict=True)):
        np.add.at(dense[row], indices, values)
    assert dense[:, 2:].tolist() == expected.to_numpy(np.float32).reshape(len(rows), -1).tolist()
    assert (dense[:, :2] == 0).all()
    assert (np.diff(result.indices.astype(int), axis=1) * (result.indices[:, 1:] > 0) >= 0).all()


def test_repetitions_add_up_and_so_do_unknown_values():
    one = feature("multi_hot", separator=";", value_separator=":")
    result = encode(one, ["2019:1;77:0.5", "2019 : 7", "a:b:2"], ["77:0.25;77:0.5", "q:1;r:2;2019:-1", "a:b:1", ""])
    assert result.indices.tolist() == [[3, 0], [1, 2], [4, 0], [0, 0]]
    assert result.values.tolist() == [[0.75, 0.0], [3.0, -1.0], [1.0, 0.0], [0.0, 0.0]]


def test_pairs_in_lists():
    one = feature("multi_hot", lists=True, value_separator="=")
    assert encode(one, ["['a=2', 'b=3']"]).values.tolist() == [[2.0, 3.0]]


@pytest.mark.parametrize("cell", ["a", "a:", ":1", "a:x", "a:nan", "a:1:x", "a:1e39", "a:1 b", "a:1,5"])
def test_malformed_pairs_are_counted(cell):
    one = feature("multi_hot", separator=" ", value_separator=":")
    message = failure(one, ["a:1", cell, "b:2"])
    assert "malformed cells; expected values with a number each, as in tag:1; received 1 rows" in message
    assert encode(feature("multi_hot", separator=" ", value_separator=":", missing=(cell,)), ["a:1", cell]).size == 3


def test_pairs_that_are_read_as_values_are_said():
    cells = ["2019010533:1;2019011092:3", "2019010533:7;2019010288:17", ""]
    said = 'column x: 2 of 2 rows look like tags with numbers: set value_separator: ":"'
    assert remarks(feature("multi_hot", separator=";"), cells) == [said]
    assert remarks(feature("multi_hot", separator=";", value_separator=":"), cells) == []
    assert remarks(feature("multi_hot", separator=";"), ["a=1;b=.5", "c"]) == []
    assert remarks(feature("multi_hot", separator=";"), ["a;b", "x:y;b:1", "c"]) == []


@given(st.lists(st.sampled_from(["a:0.1", "a:0.2", "a:0.3", "b:1e-3"]), min_size=2), st.randoms(use_true_random=False))
def test_the_order_of_repetitions_changes_no_bit(values, random):
    one = feature("multi_hot", separator=" ", value_separator=":")
    shuffled = random.sample(values, len(values))
    first, second = (encode(one, ["a:1 b:1"], [" ".join(some)]).values.tobytes() for some in (values, shuffled))
    assert first == second


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("multi_hot", {"lists": True, "separator": ","}),
        ("multi_hot", {"separator": ":", "value_separator": ":"}),
        ("multi_hot", {"separator": ":", "value_separator": ""}),
        ("sequence", {"maximum_length": 3, "lists": True, "separator": ","}),
    ],
)
def test_settings_that_cannot_work_are_refused(kind, settings):
    with pytest.raises(ValidationError):
        feature(kind, **settings)


def test_weights_are_floats_of_32_bits():
    result = encode(feature("multi_hot", separator=" ", value_separator=":"), ["a:0.1"])
    assert result.values.dtype == np.float32
    assert math.isclose(result.values[0, 0], 0.1, rel_tol=1e-6)
