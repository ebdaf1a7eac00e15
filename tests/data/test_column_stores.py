"""Tables whose columns are on disk: the same as in memory, made once, and made anew whenever they have to be."""

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from party.configuration.datetime_feature import DateFormat
from party.configuration.joins import KeyRule
from party.data.files.limits import FileLimits
from party.data.store.column_stores import ColumnStores
from party.data.store.stored_columns import codes_path
from party.errors import DataError
from tests.support.column_files import read, write_csv

CELLS = st.sampled_from(["3", "3.0", "3e0", "", "True", "1", "ulm", "007", "2024-01-01T00:00", "2024-01-01"])
ROWS = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12)


@pytest.fixture
def stores(tmp_path):
    tmp_path.chmod(0o700)
    return ColumnStores(tmp_path / "state" / "columns", from_bytes=0)


def folders(tmp_path):
    return {one.name: one.stat().st_ino for one in (tmp_path / "state" / "columns").iterdir()}


def expect_same(one, other):
    assert one.sha256 == other.sha256
    assert one.merged == other.merged
    assert one.notes == other.notes
    assert one.rows == other.rows
    assert one.ids.tolist() == other.ids.tolist()
    assert one.ids.name == other.ids.name
    assert {peer: keys.by_row().tolist() for peer, keys in one.keys.items()} == {
        peer: keys.by_row().tolist() for peer, keys in other.keys.items()
    }
    for name in one.columns:
        assert one.columns[name].by_row().tolist() == other.columns[name].by_row().tolist()


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, exact=st.booleans())
def test_a_csv_file_is_the_same_table_in_memory_and_on_disk(tmp_path_factory, rows, exact):
    folder = tmp_path_factory.mktemp("alice")
    folder.chmod(0o700)
    path = write_csv(folder / "train.csv", rows)
    stores, changes = ColumnStores(folder / "columns", from_bytes=0), {"as_written": ("a",) if exact else ()}
    expect_same(read(path, stores, **changes), read(path, **changes))
    expect_same(read(path, stores, **changes), read(path, **changes))


def test_parts_of_several_types_are_the_same_table_in_memory_and_on_disk(tmp_path, stores):
    folder = tmp_path / "train"
    folder.mkdir()
    numbers = pa.array([3, None, 4], pa.int64())
    moments = pa.array([0, 86_400_000, None], pa.timestamp("ms"))
    lists = pa.array([["x", "y"], [], None])
    for name, a in (("1", numbers), ("2", numbers.cast(pa.float32())), ("3", pa.array(["3.0", "ulm", None]))):
        ids = [f"{name}{row}" for row in range(3)]
        parquet.write_table(pa.table({"id": ids, "a": a, "b": moments, "l": lists}), folder / f"{name}.parquet")
    (folder / "4.csv").write_text("id,a,b,l\n40,3e0,1970-01-02T00:00,\n")
    changes = {"columns": ("a", "b", "l"), "lists": ("l",), "as_written": ("l",)}
    expect_same(read(folder, stores, **changes), read(folder, **changes))
    assert set(read(folder, stores, **changes).columns["a"].by_row()) == {"3", "4", "", "ulm"}


def test_keys_that_repeat_are_stored_by_their_distinct_texts(tmp_path, stores):
    path = write_csv(tmp_path / "train.csv", [("u1", "x"), ("u1", "y"), ("", "x")])
    changes = {"key_rules": {"films": KeyRule(("a",)), "shops": KeyRule(("a", "b"))}}
    expect_same(read(path, stores, **changes), read(path, **changes))


def test_a_store_serves_every_later_read_of_the_same_content(tmp_path, stores):
    path = write_csv(tmp_path / "train.csv", [("3", "x"), ("3.0", "y")])
    read(path, stores)
    made = folders(tmp_path)
    path.touch()
    again = read(path.rename(tmp_path / "other.csv"), ColumnStores(tmp_path / "state" / "columns", from_bytes=0))
    assert folders(tmp_path) == made
    assert again.merged == {"a": 2}
    assert isinstance(again.columns["a"].stored.base, np.memmap)


@pytest.mark.parametrize(
    "changes", [{"as_written": ("a",)}, {"columns": ("a",)}, {"key_rules": {"films": KeyRule(("b",))}}]
)
def test_what_is_read_otherwise_has_a_store_of_its_own(tmp_path, stores, changes):
    path = write_csv(tmp_path / "train.csv", [("3", "x"), ("3.0", "y")])
    read(path, stores)
    expect_same(read(path, stores, **changes), read(path, **changes))
    assert len(folders(tmp_path)) == 2


def test_a_damaged_store_is_made_anew(tmp_path, stores, caplog):
    path = write_csv(tmp_path / "train.csv", [("3", "x"), ("4", "y")])
    read(path, stores)
    (name,) = folders(tmp_path)
    damaged = codes_path(tmp_path / "state" / "columns" / name, 1)
    damaged.write_bytes(b"\xff" * damaged.stat().st_size)
    expect_same(read(path, stores), read(path))
    assert "were damaged, and are made anew" in caplog.text


def test_a_store_of_another_file_under_the_name_of_this_one_is_made_anew(tmp_path, stores):
    other, path = (write_csv(tmp_path / f"{cell}.csv", [(cell, "x")]) for cell in ("3", "4"))
    read(other, stores)
    (name,) = folders(tmp_path)
    read(path, stores)
    (mine,) = set(folders(tmp_path)) - {name}
    folder = tmp_path / "state" / "columns"
    shutil.rmtree(folder / mine)
    (folder / name).rename(folder / mine)
    expect_same(read(path, stores), read(path))


def test_stored_columns_are_held_against_the_limit_of_now(tmp_path, stores):
    path = write_csv(tmp_path / "train.csv", [("3", "x"), ("4", "y")])
    read(path, stores)
    with pytest.raises(DataError, match=r"has too many rows; expected at most 1 \(data\.maximum_rows\)"):
        read(path, stores, limits=FileLimits(rows=1))


def test_a_file_that_cannot_be_parsed_leaves_no_store(tmp_path, stores):
    path = tmp_path / "train.csv"
    path.write_text("id,a,b\n1,2,3\n4,5\n")
    with pytest.raises(DataError, match="does not fit the columns' names"):
        read(path, stores)
    assert folders(tmp_path) == {}


def test_content_that_changes_after_it_was_hashed_is_stored_under_its_own_digest(tmp_path, stores, monkeypatch):
    path = write_csv(tmp_path / "train.csv", [("3", "x")])
    known = stores._known

    def changed(*arguments):
        write_csv(path, [("4", "x")])
        return known(*arguments)

    monkeypatch.setattr(stores, "_known", changed)
    found = read(path, stores)
    assert found.columns["a"].by_row().tolist() == ["4"]
    assert found.sha256 == read(path).sha256
    (name,) = folders(tmp_path)
    assert name.startswith(found.sha256[:32])


def test_small_files_are_read_into_memory(tmp_path):
    path = write_csv(tmp_path / "train.csv", [("3", "x")])
    read(path, ColumnStores(tmp_path / "columns"))
    assert not (tmp_path / "columns").exists()


def test_values_by_type_beside_texts_in_another_notation_are_the_same_in_memory_and_on_disk(tmp_path, stores):
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / "1.csv").write_text('id,a,b\n1,"0,125",03.01.2024\n2,"1.234,5",\n')
    dates = pa.array([19725, None], pa.date32())
    parquet.write_table(pa.table({"id": ["3", "4"], "a": [0.125, 1234.5], "b": dates}), folder / "2.parquet")
    styles = {"commas": ("a",), "formats": {"b": DateFormat("%d.%m.%Y", None)}}
    changes = {"as_written": ("a", "b"), **styles}
    expect_same(read(folder, stores, **changes), read(folder, **changes))
    columns = read(folder, stores, **changes).columns
    assert columns["a"].by_row().tolist() == ["0,125", "1.234,5", "0,125", "1234,5"]
    assert columns["b"].by_row().tolist() == ["03.01.2024", "", "03.01.2024", ""]
    assert read(folder, stores, as_written=("a", "b")).columns["b"].by_row()[2] == "2024-01-03"


def test_readers_of_one_new_file_at_the_same_time_all_get_it(tmp_path, stores):
    path = write_csv(tmp_path / "train.csv", [(str(row), "x") for row in range(500)])
    together = threading.Barrier(4)

    def reading(_):
        together.wait()
        return read(path, stores)

    with ThreadPoolExecutor(4) as pool:
        for table in pool.map(reading, range(4)):
            expect_same(table, read(path))


FULL_DISK = """
import resource, sys
from pathlib import Path
from party.data.store.column_stores import ColumnStores
from party.errors import StorageError
from tests.support.column_files import read, write_csv

folder = Path(sys.argv[1])
path = write_csv(folder / "train.csv", [(f"text {row}", f"another {row}") for row in range(20_000)])
stores = ColumnStores(folder / "columns", from_bytes=0)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), limits[1]))
try:
    read(path, stores)
except StorageError as error:
    print(error)
print([one.name for one in (folder / "columns").iterdir()])
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
print(read(path, stores).rows)
"""


@pytest.mark.parametrize("most_bytes", [64, 100_000], ids=["at once", "while reading"])
def test_a_full_disk_is_an_error_that_says_so_and_takes_no_room(tmp_path, most_bytes):
    tmp_path.chmod(0o700)
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(most_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said, left, rows = done.stdout.splitlines()
    assert "columns of a file cannot be stored" in said
    assert "check the free space" in said
    assert (left, rows) == ("[]", "20000")
