"""Runs whose checkpoints hold changed rows of large tables resume to the bits of a run that was never stopped."""

import pytest

from coordinator.connecting import connect_federation
from party.engine import row_tables
from party.runtime.table_files import TableFiles
from tests.support.organisations import SMALL_MODEL, Organisations
from tests.support.resuming import (
    Lines,
    checkpoints_of,
    expect_equal,
    outcome,
    restart,
    run_path,
    stop_at,
    train,
)

BUCKETS = 1400  # a batch names a few of a hundred: changed rows are many after some steps
FEATURES = {
    "alice": [{"column": "income", "kind": "hash", "buckets": BUCKETS}],
    "bob": [{"column": "film", "kind": "vocabulary"}],
}
TRAINING = {"epochs": 2, "batch_size": 62}  # of two epochs of six steps
EVERY_STEP = {"every_steps": 1}
CASES = {
    "synchronous": {"optimizer": {"name": "lazy_adam"}},
    "pipelined, local updates": {
        "optimizer": {"name": "row_adagrad", "learning_rate": 0.05},
        "schedule": {"kind": "pipelined", "depth": 2},
        "local_updates": {"steps": 1, "window": 2, "uses": 2},
    },
}


@pytest.fixture(scope="module", autouse=True)
def every_table_counts_as_large():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(row_tables, "LARGE_TABLE_ROWS", 1)
        yield


@pytest.fixture
def written(monkeypatch):
    """What is written of alice's tables, by step."""
    noted, write = {}, TableFiles.write

    def noting(files, mark, copy):
        reference = write(files, mark, copy)
        if files._party == "alice":
            noted[mark.step] = "whole" if copy.becomes_base else "rows"
        return reference

    monkeypatch.setattr(TableFiles, "write", noting)
    return noted


def tables_of(organisations, name, run_id):
    folder = organisations.state_path(name) / "runs" / run_id / "checkpoints"
    return {int(path.name[:12]): path for path in sorted(folder.glob("*.tables"))}


@pytest.fixture(scope="module", params=CASES)
def organisations(request, tmp_path_factory):
    models = {name: {"model": SMALL_MODEL} for name in FEATURES}
    training = {**TRAINING, **CASES[request.param]}
    folder = tmp_path_factory.mktemp("tables")
    with Organisations(folder, features=FEATURES, training=training, overrides=models) as made:
        made.start_servers()
        made.reference = outcome(made, train(made))
        yield made


def test_a_run_resumes_exactly_after_changed_rows_and_after_whole_tables(organisations, written):
    run_id = stop_at(organisations, 2, checkpoints=EVERY_STEP)
    stopped = max(written)
    assert written[stopped] == "rows"
    assert list(tables_of(organisations, "alice", run_id)) == sorted({min(written), stopped - 1, stopped})
    restart(organisations, *organisations.names)
    assert stop_at(organisations, 9, resume=run_id, checkpoints=EVERY_STEP) == run_id
    assert list(written.values()).count("whole") > 1
    assert written[stopped + 1] == "rows" or written[stopped + 2] == "rows", "a run that resumes goes on with rows"
    restart(organisations, *organisations.names)
    resumed = train(organisations, resume=run_id, checkpoints=EVERY_STEP)
    expect_equal(outcome(organisations, resumed), organisations.reference)
    for name in organisations.names:
        assert not checkpoints_of(organisations, name, run_id)
        assert not tables_of(organisations, name, run_id)


@pytest.mark.parametrize("organisations", ["synchronous"], indirect=True)
def test_without_the_whole_tables_no_checkpoint_that_builds_on_them_is_used(organisations, written):
    run_id = stop_at(organisations, 2, checkpoints=EVERY_STEP)
    tables = tables_of(organisations, "alice", run_id)
    assert set(written.values()) == {"whole", "rows"}
    tables[min(tables)].unlink()
    lines = []
    with connect_federation(run_path(organisations), lambda: Lines(lines)) as parties:
        history = parties.fit(resume=run_id)
    assert any("cannot be used: alice: tables of step 1: are missing" in line for line in lines), lines
    assert "resuming from step 0 of" in "\n".join(lines)
    expect_equal(outcome(organisations, history), organisations.reference)
