"""`party data`: what is stored is listed and removed, and nothing else."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from party.data.store.column_stores import COLUMNS_FOLDER, ColumnStores
from party.errors import DataError
from party.stored_data import remove_stored, remove_unused, stored_data
from tests.support.column_files import read, write_csv
from tests.support.commands import expect_error, run_party

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def party(make_organisations):
    """A party that is not started, with two files whose columns are stored."""
    organisations = make_organisations()
    folder = organisations.state_path("alice")
    folder.mkdir(mode=0o700, exist_ok=True)
    organisations.stores = ColumnStores(folder / COLUMNS_FOLDER, from_bytes=0)
    for name, rows in (("old", 2), ("new", 3)):
        read(write_csv(folder.parent / f"{name}.csv", [("3", "x")] * rows), organisations.stores)
    return organisations


def names(party):
    return [one.name for one in stored_data(party.party_path("alice")).stored]


def test_stores_are_listed_with_rows_and_size(party):
    head, *lines = run_party("data", "--config", party.party_path("alice")).stdout.splitlines()
    assert head.split() == ["name", "rows", "size", "last", "used"]
    assert sorted(line.split()[1] for line in lines) == ["2", "3"]
    assert all("kB  20" in line or "bytes  20" in line for line in lines)


def test_one_is_removed_by_a_shortened_name(party):
    first, second = names(party)
    path = party.party_path("alice")
    assert remove_stored(path, first[:12]).removed == (first,)
    assert names(party) == [second]
    expect_error(run_party("data", "--remove", "nothing", "--config", path), DataError.exit_code, "no stored columns")


def test_those_that_no_start_used_are_removed(party):
    first, second = names(party)
    folder = party.state_path("alice") / COLUMNS_FOLDER
    for name, days in ((first, 40), (second, 20)):
        at = (NOW - timedelta(days=days)).timestamp()
        os.utime(folder / name, (at, at))
    assert remove_unused(party.party_path("alice"), 30, NOW).removed == (first,)
    assert list(remove_unused(party.party_path("alice"), 30, NOW).lines(None)) == ["nothing was removed"]
    assert names(party) == [second]


def test_where_nothing_is_stored_one_line_says_so(make_organisations):
    (line,) = stored_data(make_organisations().party_path("alice")).lines(None)
    assert line.startswith("nothing is stored")


def test_an_unfinished_store_is_listed_as_such(party):
    folder = party.state_path("alice") / COLUMNS_FOLDER / "new-killed.partial"
    folder.mkdir(mode=0o700)
    (line,) = [line for line in stored_data(party.party_path("alice")).lines(None) if "new-killed" in line]
    assert "unfinished or damaged" in line
