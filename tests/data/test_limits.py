"""Files that are small and unfold to much, or are wide: refused before, or while, they unfold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from party.configuration.data_files import DEFAULT_MAXIMUM_BYTES, DEFAULT_MAXIMUM_ROWS
from party.configuration.features import MAXIMUM_FEATURES, DataSection
from party.configuration.joins import KeyRule
from party.data.files import columns, csv_file
from party.data.files.limits import MAXIMUM_COLUMNS, FileLimits
from party.data.table import FileRules, read_table
from party.errors import ConfigurationError, DataError

SMALL = 1 << 20
BOMB_ROWS = DEFAULT_MAXIMUM_ROWS + 1


def read(path, needed=("a",), limits=None, lists=()):
    rules = FileRules(id_rule=KeyRule(("ID",)), limits=limits or FileLimits(), lists=lists)
    return read_table("alice", "train", path, columns=needed, rules=rules)


def failure(path, **arguments):
    with pytest.raises(DataError) as caught:
        read(path, **arguments)
    return caught.value


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    """A small Parquet file of more rows than any party reads by default, one text all along."""
    path = tmp_path_factory.mktemp("bomb") / "train.parquet"
    codes = pa.DictionaryArray.from_arrays(pa.array(np.zeros(BOMB_ROWS, np.int8)), ["z"])
    parquet.write_table(pa.table({"ID": codes, "a": codes}), path, row_group_size=BOMB_ROWS, compression="zstd")
    return path


def test_parquet_of_too_many_rows_is_refused_before_any_is_read(bomb, monkeypatch):
    assert bomb.stat().st_size < SMALL
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", None)
    monkeypatch.setattr(parquet.ParquetFile, "read", None)
    error = failure(bomb)
    assert "train.parquet: has too many rows; expected at most 50,000,000 (data.maximum_rows)" in str(error)
    assert error.public_message == "a file of its data has too many rows"


def test_rows_are_counted_by_part_where_the_whole_lies(tmp_path, monkeypatch):
    """The number for the whole file and those of its parts are separate fields, which nobody has to keep equal."""
    path = tmp_path / "train.parquet"
    parquet.write_table(pa.table({"ID": ["1", "2", "3"], "a": ["x", "y", "z"]}), path, row_group_size=2)
    honest = parquet.ParquetFile.metadata.fget

    class Lying:
        num_rows = 1

        def __init__(self, metadata):
            self._metadata = metadata

        def __getattr__(self, name):
            return getattr(self._metadata, name)

    monkeypatch.setattr(parquet.ParquetFile, "metadata", property(lambda file: Lying(honest(file))))
    assert "has too many rows" in str(failure(path, limits=FileLimits(rows=2)))
    assert read(path, limits=FileLimits(rows=3)).rows == 3


def test_rows_are_counted_while_they_are_read_where_all_of_it_lies(tmp_path, monkeypatch):
    path = tmp_path / "train.parquet"
    parquet.write_table(pa.table({"ID": ["1", "2", "3"], "a": ["x", "y", "z"]}), path)
    monkeypatch.setattr("party.data.files.parquet_file.ParquetFile._check_stated", lambda *arguments: [0])
    assert "has too many rows" in str(failure(path, limits=FileLimits(rows=2)))


def test_a_long_text_that_a_dictionary_repeats_is_refused_before_it_unfolds(tmp_path):
    """20,000 times one text of 100 kB: 2 GB from a few kB."""
    path = tmp_path / "train.parquet"
    rows = 20_000
    repeated = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), ["x" * 100_000])
    parquet.write_table(pa.table({"ID": [str(row) for row in range(rows)], "a": repeated}), path, compression="zstd")
    assert path.stat().st_size < SMALL
    before = pa.total_allocated_bytes()
    error = failure(path, limits=FileLimits(bytes=64 * SMALL))
    assert "is too large; expected at most 67,108,864 bytes (data.maximum_bytes)" in str(error)
    assert pa.total_allocated_bytes() - before < 64 * SMALL


def list_of_one(path, elements, text):
    """A file of one row, whose list repeats one text."""
    repeated = pa.DictionaryArray.from_arrays(pa.array(np.zeros(elements, np.int8)), [text])
    column = pa.ListArray.from_arrays(pa.array([0, elements], pa.int32()), repeated)
    parquet.write_table(pa.table({"ID": ["1"], "a": column}), path, compression="zstd", store_schema=False)
    assert path.stat().st_size < SMALL
    return path


def test_a_long_text_that_a_list_repeats_is_refused_before_it_unfolds(tmp_path):
    """20,000 times one text of 100 kB in one cell: 2 GB from a few kB."""
    path = list_of_one(tmp_path / "train.parquet", 20_000, "x" * 100_000)
    before = pa.total_allocated_bytes()
    error = failure(path, limits=FileLimits(bytes=64 * SMALL), lists=["a"])
    assert "is too large; expected at most 67,108,864 bytes (data.maximum_bytes)" in str(error)
    assert pa.total_allocated_bytes() - before < 64 * SMALL


def test_a_list_that_states_too_many_elements_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = list_of_one(tmp_path / "train.parquet", 3 * SMALL, "x")
    assert [len(text) for text in read(path, lists=["a"]).columns["a"].by_row()] == [6 * SMALL]
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", None)
    assert "is too large" in str(failure(path, limits=FileLimits(bytes=2 * SMALL), lists=["a"]))


def test_columns_that_state_to_be_too_large_are_refused_and_unneeded_ones_are_not_counted(tmp_path):
    path = tmp_path / "train.parquet"
    table = pa.table({"ID": ["1", "2"], "a": ["x", "y"], "wide": ["w" * SMALL, "v" * SMALL]})
    parquet.write_table(table, path, compression="zstd", use_dictionary=False)
    assert read(path, limits=FileLimits(bytes=SMALL)).rows == 2
    assert "is too large" in str(failure(path, needed=("wide",), limits=FileLimits(bytes=SMALL)))


def test_dictionaries_plain_texts_and_nulls_are_read_alike(tmp_path):
    path = tmp_path / "train.parquet"
    texts = ["Ulm", None, "Köln", "Ulm", ""]
    ids = [str(row) for row in range(5)]
    for column in (
        pa.array(texts),
        pa.array(texts, pa.large_string()),
        pa.array(texts).dictionary_encode(),
    ):
        parquet.write_table(pa.table({"ID": ids, "a": column}), path, row_group_size=2)
        assert read(path).columns["a"].by_row().tolist() == ["Ulm", "", "Köln", "Ulm", ""]


def test_csv_of_too_many_rows_is_refused_block_by_block(tmp_path, monkeypatch):
    path = tmp_path / "train.csv"
    path.write_text("ID,a\n" + "".join(f"{row},x\n" for row in range(5000)))
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(pd.DataFrame, "__init__", None)  # nothing becomes a frame
    assert "has too many rows; expected at most 100 (data.maximum_rows)" in str(
        failure(path, limits=FileLimits(rows=100))
    )


@pytest.mark.parametrize("name", ["train.csv", "train.parquet"])
def test_a_file_too_large_is_not_read_at_all(tmp_path, name):
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(DEFAULT_MAXIMUM_BYTES + 1)  # sparse: takes no room
    assert "is too large" in str(failure(path))


def test_what_is_no_file_is_refused_without_waiting_for_it():
    with pytest.raises(DataError, match="is no file"):
        read_table("alice", "train", Path("/dev/zero"), columns=["a"], rules=FileRules(id_rule=KeyRule(("ID",))))


@pytest.mark.parametrize("name", ["train.csv", "train.parquet"])
def test_too_many_columns_are_refused_and_told(tmp_path, name):
    path = tmp_path / name
    wide = {"ID": ["1"], "a": ["x"], **{f"c{number}": ["1"] for number in range(MAXIMUM_COLUMNS)}}
    if name.endswith("csv"):
        path.write_text(",".join(wide) + "\n" + ",".join(one for (one,) in wide.values()) + "\n")
    else:
        parquet.write_table(pa.table(wide), path)
    assert "has too many columns; expected at most 16,384; received 16,386" in str(failure(path))
    del wide["c0"], wide["c1"]
    path.write_text(",".join(wide) + "\n" + ",".join(one for (one,) in wide.values()) + "\n")
    if name.endswith("parquet"):
        parquet.write_table(pa.table(wide), path)
    assert read(path).rows == 1


def test_work_on_a_header_does_not_grow_with_its_square(monkeypatch):
    """Names are compared a bounded number of times, whatever the header holds; each name counts its comparisons."""

    class Name(str):
        compared = 0
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            Name.compared += 1
            return str.__eq__(self, other)

    header = [Name(f"column{number}") for number in range(MAXIMUM_COLUMNS)]
    columns.check_names(header, {f"column{number}": "data.features" for number in range(MAXIMUM_COLUMNS)}, "train.csv")
    assert Name.compared <= 4 * MAXIMUM_COLUMNS


def test_many_missing_columns_of_a_wide_file_are_told_in_a_short_text():
    asked = []
    header = [f"column{number}" for number in range(1000)] + ["x" * 100_000]
    needed = dict.fromkeys([*header[:900], *(f"other{number}" for number in range(500))], "data.features")
    with pytest.MonkeyPatch.context() as patch:
        nearest = columns.difflib.get_close_matches
        patch.setattr(
            columns.difflib, "get_close_matches", lambda *given, **more: asked.append(given) or nearest(*given, **more)
        )
        with pytest.raises(DataError) as caught:
            columns.check_names(header, needed, "train.parquet", are_names=True)
    assert len(asked) == columns.SHOWN_COLUMNS
    assert max(len(name) for _, candidates in asked for name in candidates) <= columns.COMPARED_CHARACTERS
    assert "and 492 more" in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_a_header_line_without_an_end_is_refused_after_a_part_of_it(tmp_path):
    path = tmp_path / "train.csv"
    path.write_bytes(b"ID,a," + b"x" * (2 << 20))
    assert "header line is too long; expected fewer than 1,048,576 characters" in str(failure(path))


def test_features_are_bounded():
    features = [{"kind": "numeric", "column": f"c{number}"} for number in range(MAXIMUM_FEATURES + 1)]
    from party.configuration.strict import validate  # noqa: PLC0415

    with pytest.raises(ConfigurationError, match=rf"a list of sections, at most {MAXIMUM_FEATURES} of them"):
        validate(DataSection, {"id": "ID", "datasets": {"train": "x"}, "features": features}, "data")
    allowed = {"id": "ID", "datasets": {"train": "x"}, "features": features[:-1]}
    assert len(validate(DataSection, allowed, "data").features) == MAXIMUM_FEATURES
