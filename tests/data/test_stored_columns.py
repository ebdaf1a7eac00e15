"""Columns of a file on disk: what is read back equals what was written, whatever the batches."""

import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.data.store.column_writer import ColumnWriter
from party.data.store.stored_columns import DESCRIPTION, codes_path, open_columns, texts_path
from party.errors import StorageError

TEXTS = st.text(alphabet="ab\0é\uffff\U00010000", max_size=3)
ROWS = st.lists(st.tuples(TEXTS, TEXTS), max_size=30)


def batches(rows, sizes):
    start = 0
    for size in [*sizes, len(rows)]:
        part = rows[start : start + size]
        start += len(part)
        yield {name: pa.array([row[place] for row in part], pa.string()) for place, name in enumerate(("city", "id"))}


def write(folder, rows, sizes=()):
    writer = ColumnWriter(folder.with_name("new"), ["city", "id"], ["id"])
    for batch in batches(rows, sizes):
        writer.append(batch)
    writer.finish(folder, meanings={}, sha256="00")
    return folder


@pytest.fixture
def root(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, sizes=st.lists(st.integers(0, 7), max_size=5))
def test_columns_are_read_as_they_were_written(tmp_path_factory, rows, sizes):
    folder = tmp_path_factory.mktemp("state")
    folder.chmod(0o700)
    stored = open_columns(write(folder / "store", rows, sizes))
    assert stored.rows == len(rows)
    assert stored.repeating["city"].by_row().tolist() == [city for city, _ in rows]
    assert stored.plain["id"].to_pylist() == [one for _, one in rows]
    distinct = stored.repeating["city"].texts()
    assert sorted(distinct) == sorted({city for city, _ in rows})


def test_rows_are_chosen_without_a_copy_of_the_store(root):
    rows = [(f"c{row % 7}", f"id{row}") for row in range(100)]
    column = open_columns(write(root / "store", rows)).repeating["city"]
    order = np.random.default_rng(0).permutation(100)[:60]
    taken = column.take(order).take(np.arange(59, -1, -1))
    assert taken.stored is column.stored
    assert taken.by_row().tolist() == [rows[row][0] for row in order[::-1]]
    assert taken.gather(np.array([3, 3, 0], np.int32)).tolist() == taken.codes[[3, 3, 0]].tolist()


def test_an_abandoned_store_leaves_nothing_and_a_killed_one_is_replaced(root):
    writer = ColumnWriter(root / "new", ["city", "id"], ["id"])
    writer.append(next(batches([("a", "1")], [])))
    writer.abandon()
    assert list(root.iterdir()) == []
    killed = ColumnWriter(root / "new", ["city", "id"], ["id"])
    killed.append(next(batches([("a", "1")], [])))
    assert open_columns(write(root / "store", [("b", "2")])).plain["id"].to_pylist() == ["2"]
    assert [path.name for path in root.iterdir()] == ["store"]


def test_files_are_their_owners_alone(root):
    former = os.umask(0)
    try:
        folder = write(root / "store", [("a", "1")])
    finally:
        os.umask(former)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def _shorter(folder):
    codes_path(folder, 0).write_bytes(codes_path(folder, 0).read_bytes()[:-4])


def _too_large(folder):
    codes_path(folder, 0).write_bytes(np.array([5, 0], "<i4").tobytes())


def _negative(folder):
    codes_path(folder, 0).write_bytes(np.array([-1, 0], "<i4").tobytes())


def _cut_texts(folder):
    texts_path(folder, 1).write_bytes(texts_path(folder, 1).read_bytes()[:100])


def _fewer_ids(folder):
    texts_path(folder, 1).write_bytes(texts_path(folder, 0).read_bytes())


def _other_version(folder):
    path = folder / DESCRIPTION
    path.write_text(path.read_text().replace('"format": 1', '"format": 9'))


@pytest.mark.parametrize(
    "damage", [_shorter, _too_large, _negative, _cut_texts, _fewer_ids, _other_version], ids=lambda one: one.__name__
)
def test_a_damaged_store_is_refused(root, damage):
    folder = write(root / "store", [("a", "1"), ("a", "2")])
    damage(folder)
    with pytest.raises(StorageError, match="cannot be read"):
        open_columns(folder)
