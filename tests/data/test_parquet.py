"""A Parquet file is read as the CSV file with the same cells would be."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from party.configuration.joins import KeyRule
from party.data.table import FileRules, read_table
from party.errors import DataError
from tests.support.columns import frame_of

CANARY = "Canary7f3a"
texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00\r\n"), max_size=8)


def write(folder, columns, name="train.parquet"):
    path = folder / name
    parquet.write_table(pa.table(columns), path)
    return path


def read(path, columns=("a",)):
    return read_table("alice", "train", path, columns=columns, rules=FileRules(id_rule=KeyRule(("ID",))))


@settings(max_examples=30, deadline=None)
@given(st.lists(texts, min_size=1, max_size=6))
def test_texts_are_those_of_the_csv_file(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("tables")
    frame = pd.DataFrame({"ID": [f"id{place}" for place in range(len(cells))], "a": cells})
    frame.to_csv(folder / "train.csv", index=False)
    one, other = read(write(folder, {"ID": frame["ID"], "a": cells})), read(folder / "train.csv")
    pd.testing.assert_frame_equal(frame_of(one.columns), frame_of(other.columns))
    assert one.ids.tolist() == other.ids.tolist()


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, -2, None], pa.int64()), ["1", "-2", ""]),
        (pa.array([3, 2**40, 0], pa.uint64()), ["3", "1099511627776", "0"]),
        (pa.array([1.0, 0.1, float("nan")], pa.float64()), ["1", "0.1", ""]),
        (pa.array([1e300, -0.5, None], pa.float64()), ["1e+300", "-0.5", ""]),
        (pa.array([True, None, False]), ["true", "", "false"]),
        (pa.array(["x", "y", "x"]).dictionary_encode(), ["x", "y", "x"]),
        (pa.array(["x", None, ""], pa.large_string()), ["x", "", ""]),
        (pa.array([datetime.date(2024, 2, 29), None, datetime.date(1999, 1, 1)]), ["2024-02-29", "", "1999-01-01"]),
        (pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.00")]), ["1.50", "", "-2.00"]),
    ],
    ids=lambda one: str(one.type) if isinstance(one, pa.Array) else "",
)
def test_every_plain_type_has_its_text(tmp_path, column, expected):
    table = read(write(tmp_path, {"ID": ["a", "b", "c"], "a": column}))
    assert table.columns["a"].by_row().tolist() == expected
    assert all(isinstance(cell, str) for cell in table.columns["a"].by_row())


def test_numbers_serve_as_ids_and_other_columns_are_not_looked_at(tmp_path):
    nested = pa.array([[1], [2]])
    table = read(write(tmp_path, {"ID": [7, 8], "a": ["x", "y"], "lists": nested}))
    assert table.ids.tolist() == ["7", "8"]
    assert list(table.columns) == ["a"]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"ID": ["a"], "b": ["x"]}, "columns missing: a"),
        ({"ID": ["a", "a"], "a": ["x", "y"]}, "ids are not unique"),
        ({"ID": ["a", None], "a": ["x", "y"]}, "empty ids"),
        ({"ID": pa.array([], pa.string()), "a": pa.array([], pa.string())}, "has no rows"),
        ({"ID": ["a"], "a": pa.array([[CANARY]])}, "train.parquet: column a: holds values that are no plain texts"),
        ({"ID": ["a"], "a": pa.array([CANARY.encode()])}, "expected text, numbers, booleans or dates; received binary"),
    ],
)
def test_what_cannot_be_used_is_told_without_a_value(tmp_path, columns, text):
    with pytest.raises(DataError, match=text) as refused:
        read(write(tmp_path, columns))
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"ID,a\n1,2\n", b"PAR1" + bytes(100) + b"PAR1"])
def test_what_is_no_parquet_is_told(tmp_path, content):
    path = tmp_path / "train.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read(path)


def test_digest_is_of_the_file(tmp_path):
    generator = np.random.default_rng(1)
    path = write(tmp_path, {"ID": ["a", "b"], "a": generator.normal(size=2)})
    before = read(path).sha256
    assert read(path).sha256 == before
    write(tmp_path, {"ID": ["a", "b"], "a": generator.normal(size=2)})
    assert read(path).sha256 != before
