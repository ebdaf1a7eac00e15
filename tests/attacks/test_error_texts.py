"""What a coordinator is told of a party's broken state, and what the party's own log says."""

import logging

import pytest

from coordinator import connect
from party.errors import DataError
from tests.attacks import error_texts
from tests.attacks.error_texts import ALICE, BOB, BREAKAGES, SALARY


@pytest.fixture(scope="module")
def federation(tmp_path_factory):
    with error_texts.make_federation(tmp_path_factory.mktemp("broken"), seed=3) as made:
        yield made.start_servers()


@pytest.fixture(scope="module")
def collected(federation):
    """What the coordinator was told, and the lines of the parties' logs meanwhile."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger("party").addHandler(handler)
    told = error_texts.collect(federation)
    logging.getLogger("party").removeHandler(handler)
    return told, lines


def test_no_error_tells_a_path_a_file_a_column_or_a_cell(federation, collected):
    told, _ = collected
    assert set(told) == set(BREAKAGES)
    assert error_texts.findings(federation, told) == {
        "an absolute path": [],
        "names of files": [],
        "columns": [],
        "cells": [],
    }


def test_every_error_still_says_who_and_is_of_its_kind(collected):
    told, _ = collected
    for name, (error, _) in told.items():
        party = "bob" if "bob" in BREAKAGES[name].file else "alice"
        assert str(error).startswith(f"{party}: "), name
        assert isinstance(error, DataError) == (BREAKAGES[name].file in (ALICE, BOB))


def test_the_partys_own_log_names_the_place(federation, collected):
    _, lines = collected
    log = "\n".join(lines)
    assert f"alice: train.csv: columns missing: {SALARY} (did you mean salary?)" in log
    assert f"alice: train.csv: column {SALARY}: malformed cells" in log
    assert str(federation.state_path("alice")) in log
    assert all(line.isprintable() for line in lines)


def test_the_log_keeps_a_first_row_to_itself(collected):
    log = "\n".join(collected[1])
    assert "first line names none of the 3 columns" in log
    assert "first line names only 1 of the 3 columns" in log
    assert not error_texts.CELL.search(log)


def test_an_owner_may_let_columns_be_told_and_never_paths(federation, collected):
    federation.stop_server("alice")
    federation.write_party("alice", policy={"share_schema": True})
    federation.start_server("alice")
    federation.write_run(reconnect_seconds=0.1)
    with connect(federation.run_path) as parties:
        parties.align()
        run_id = parties.fit().run_id
    _, text = error_texts.provoked(federation, run_id, BREAKAGES["column renamed"])
    assert f"alice: train.csv: columns missing: {SALARY} (did you mean salary?)" in text
    for name in ("no header line", "a header line that is half a row", "weights gone", "no file"):
        _, text = error_texts.provoked(federation, run_id, BREAKAGES[name])
        assert str(federation.folder) not in text
        assert not error_texts.CELL.search(text)
