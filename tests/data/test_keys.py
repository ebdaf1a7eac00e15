"""Keys of rows: nothing matches an empty one, no two tuples collide, and both sides of a join make the same text."""

import hashlib
import itertools
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from party.configuration.joins import KeyRule
from party.data.keys import NO_KEY, composite_key, row_keys, transformed
from party.data.text_columns import text_column_of
from party.errors import DataError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
PARTS = st.lists(TEXT, min_size=1, max_size=4)
IDEMPOTENT = ("strip", "lower", "digits")
SHA256_OF_NOTHING = hashlib.sha256(b"").hexdigest()
CANARY = "canary-7351"


def keys_of(rule, **columns):
    texts = {name: text_column_of(cells) for name, cells in columns.items()}
    return row_keys(texts, rule, "bob: train.csv").by_row().tolist()


@given(TEXT)
def test_a_key_of_one_column_is_its_exact_text(text):
    assert composite_key([text]) == text
    assert transformed(text, ()) == text


@given(PARTS, PARTS)
@example(["a", "bc"], ["ab", "c"])
@example(["1:a", "b"], ["1", "a1:b"])
@example(["a", "b"], ["a", "b", "c"])
@example(["1:a1:b", "c"], ["a", "b", "c"])
def test_different_tuples_of_one_length_have_different_keys(first, second):
    complete = [parts for parts in (first, second) if all(parts)]
    if len(complete) == 2 and len(first) == len(second):
        assert (composite_key(first) == composite_key(second)) == (first == second)


@given(st.text("0123456789:a", min_size=8, max_size=8))
@example("1:1:1:1:")
@example("11111111")
def test_every_way_to_cut_a_text_into_parts_is_another_key(text):
    made = set()
    for count in range(1, len(text)):
        for cuts in itertools.combinations(range(1, len(text)), count):
            bounds = [0, *cuts, len(text)]
            made.add(composite_key([text[start:end] for start, end in itertools.pairwise(bounds)]))
    assert len(made) == 2 ** (len(text) - 1) - 1


@given(st.lists(TEXT, max_size=3), st.lists(TEXT, max_size=3))
def test_a_key_with_an_empty_part_is_none(before, after):
    assert composite_key([*before, "", *after]) == NO_KEY


@pytest.mark.parametrize("name", IDEMPOTENT)
@given(TEXT)
def test_transformations_of_text_may_be_repeated(name, text):
    once = transformed(text, [name])
    assert transformed(text, [name, name]) == once


def test_lower_may_be_repeated_for_every_character():
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    assert [one for one in every if one.lower().lower() != one.lower()] == []


@pytest.mark.parametrize(
    ("transforms", "cell", "key"),
    [
        (["strip"], " \t u 1\u00a0\n", "u 1"),
        (["lower"], "ÀÉ SS", "àé ss"),
        (["digits"], "+49 (0)30 / 12-34", "490301234"),
        (["digits"], "٤٢ is no 42", "42"),
        (["strip", "lower"], "  Anna@Example.ORG ", "anna@example.org"),
        (["sha256"], "é", hashlib.sha256("é".encode()).hexdigest()),
        (["strip", "lower", "sha256"], " A ", hashlib.sha256(b"a").hexdigest()),
        (["sha256", "sha256"], "a", hashlib.sha256(hashlib.sha256(b"a").hexdigest().encode()).hexdigest()),
        (["sha256"], "", NO_KEY),
        (["strip", "sha256"], "   ", NO_KEY),
        (["digits", "sha256"], "none", NO_KEY),
    ],
)
def test_transformations_are_applied_in_their_order(transforms, cell, key):
    assert transformed(cell, transforms) == key
    assert keys_of(KeyRule(("u",), tuple(transforms)), u=[cell, "x1", cell])[::2] == [key, key]


def test_texts_that_look_alike_are_different_keys():
    forms = [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")]
    cells = [*forms, "1", "01", "1.0", " 1"]
    assert keys_of(KeyRule(("u",)), u=cells) == cells


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b1", " "]), TEXT, st.sampled_from("xyz")), max_size=30))
def test_keys_of_many_rows_are_those_of_each(rows):
    rule = KeyRule(("u", "v", "w"), ("strip", "lower"))
    columns = dict(zip("uvw", zip(*rows, strict=True), strict=True)) if rows else {"u": [], "v": [], "w": []}
    expected = [composite_key([transformed(cell, rule.transforms) for cell in row]) for row in rows]
    assert keys_of(rule, **{name: list(cells) for name, cells in columns.items()}) == expected


def test_many_columns_of_many_cells_do_not_run_over():
    rows = 3000
    columns = {
        f"c{number}": [f"{row}" for row in np.random.default_rng(number).permutation(rows)] for number in range(8)
    }
    keys = keys_of(KeyRule(tuple(columns)), **columns)
    assert keys == [composite_key(list(row)) for row in zip(*columns.values(), strict=True)]


def test_a_column_of_digests_joins_with_one_of_texts():
    plain = keys_of(KeyRule(("u",), ("strip", "sha256")), u=[" a", "b", " "])
    hashed = [hashlib.sha256(text).hexdigest() for text in (b"a", b"b", b"")]
    assert hashed[2] == SHA256_OF_NOTHING
    assert keys_of(KeyRule(("u",), ("strip", "sha256"), transformed=True), u=hashed) == plain
    assert plain[2] == NO_KEY


def test_an_empty_cell_stays_empty_where_a_column_is_transformed_already():
    assert keys_of(KeyRule(("u",), ("sha256",), transformed=True), u=["", SHA256_OF_NOTHING]) == [NO_KEY, NO_KEY]
    assert keys_of(KeyRule(("u",), ("lower",), transformed=True), u=["A", ""]) == ["A", NO_KEY]


@pytest.mark.parametrize("cell", [CANARY, "A" * 64, "a" * 63, "a" * 65])
def test_declared_digests_that_are_none_are_counted(cell):
    with pytest.raises(DataError) as caught:
        keys_of(KeyRule(("u",), ("sha256",), transformed=True), u=[cell, "0" * 64, cell, ""])
    message = str(caught.value)
    assert "bob: train.csv: column u: cells are no SHA-256 digests" in message
    assert "received 2 rows with something else" in message
    assert cell not in message
