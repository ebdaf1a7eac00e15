"""Tables of text: what fits is aligned, nothing is lost, and no line is wider than the terminal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.output.tables import PrintedColumn, PrintedTable, numbered, worded
from party.output.terminal import text_columns, wrapped

TABLE = PrintedTable(
    title="train: events.csv, 1,200 rows",
    columns=(*worded("feature", "type"), *numbered("vocabulary size", "missing")),
    rows=(("age", "numeric", "1", "0"), ("title of the film", "hashed", "100,000", "1,000")),
)
words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=12)
cells = st.lists(words, max_size=4).map(" ".join)


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.booleans(), min_size=1, max_size=6))
    titles = draw(st.lists(words, min_size=len(kinds), max_size=len(kinds)))
    rows = draw(st.lists(st.tuples(*(words if is_number else cells for is_number in kinds)), max_size=5))
    columns = tuple(map(PrintedColumn, titles, kinds))
    return PrintedTable(columns=columns, rows=tuple(rows), title=draw(cells))


def test_a_pipe_gets_a_line_for_each_row():
    assert list(TABLE.lines(None)) == [
        "train: events.csv, 1,200 rows",
        "  feature            type     vocabulary size  missing",
        "  age                numeric                1        0",
        "  title of the film  hashed           100,000    1,000",
    ]


def test_a_narrower_terminal_breaks_titles_above_numbers_and_then_texts():
    assert list(TABLE.lines(52)) == [
        "train: events.csv, 1,200 rows",
        "                              vocabulary",
        "  feature            type           size  missing",
        "  age                numeric           1        0",
        "  title of the film  hashed      100,000    1,000",
    ]
    assert list(TABLE.lines(45)) == [
        "train: events.csv, 1,200 rows",
        "                          vocabulary",
        "  feature        type           size  missing",
        "  age            numeric           1        0",
        "  title of the   hashed      100,000    1,000",
        "    film",
    ]


def test_a_terminal_too_narrow_for_columns_gets_a_line_for_each_cell():
    assert list(TABLE.lines(30)) == [
        "train: events.csv, 1,200 rows",
        "  feature: age",
        "    type: numeric",
        "    vocabulary size: 1",
        "    missing: 0",
        "  feature: title of the film",
        "    type: hashed",
        "    vocabulary size: 100,000",
        "    missing: 1,000",
    ]


@given(tables(), st.integers(20, 120))
def test_no_line_is_wider_than_the_terminal_but_for_one_word(table, columns):
    for line in table.lines(columns):
        assert text_columns(line) <= columns or len(line.split()) <= 2  # a title in front of a cell, at most


@given(tables(), st.none() | st.integers(20, 120))
def test_every_word_of_every_cell_is_shown(table, columns):
    shown = "\n".join(table.lines(columns))
    for row in table.rows:
        for cell in row:
            for part in re.findall(r"[^\s_./-]+", cell):  # where a narrow column may break a name
                assert part in shown


@given(tables())
def test_what_a_pipe_gets_is_what_a_wide_terminal_shows(table):
    whole = list(table.lines(None))
    assert whole == list(table.lines(10_000))
    assert len(whole) == len(table.rows) + 1 + bool(table.title)


@given(cells, st.integers(20, 60))
def test_wrapping_moves_words_and_changes_none(text, columns):
    assert " ".join(wrapped(text, columns)).split() == text.split()


def test_a_narrow_column_breaks_a_long_name_between_its_parts():
    table = PrintedTable(columns=worded("feature", "type"), rows=(("mean_price_of_the_last_30_days", "numeric"),))
    assert list(table.lines(28)) == [
        "feature              type",
        "mean_price_of_the_   numeric",
        "  last_30_days",
    ]


def test_a_cell_cannot_begin_a_line_or_move_the_cursor():
    table = PrintedTable(columns=worded("a"), rows=(("x\ny\x1b[2J",),), title="t\n\x07")
    assert list(table.lines(None)) == ["t ?", "  a", "  x y?[2J"]


def test_letters_of_two_columns_stay_aligned():
    table = PrintedTable(columns=worded("a", "b"), rows=(("日本", "x"), ("abc", "y")))
    assert list(table.lines(None)) == ["a     b", "日本  x", "abc   y"]


def test_a_row_has_a_cell_for_each_column():
    with pytest.raises(ValueError, match="a cell for each column"):
        PrintedTable(columns=worded("a", "b"), rows=(("x",),))
