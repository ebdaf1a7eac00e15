import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.journal import (
    LEASE_BYTES,
    SAVED_COMMITS,
    Commit,
    Journal,
    find_run,
    is_locked,
    list_runs,
    request_stop,
)
from party.errors import ConfigurationError, SessionError, StorageError
from party.protocol.checkpoints import Mark

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
FIRST, SECOND = bytes.fromhex("aa" * 16), bytes.fromhex("ab" * 16)
SENT = b'{"parties":["bank","shop"]}'


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def journal(folder):
    journal = Journal(folder)
    yield journal
    journal.close()


def test_run_is_noted_before_it_ends(journal):
    journal.begin(FIRST, SENT, NOW)
    (entry,) = journal.runs()
    assert (entry.run_id, entry.state, entry.configuration) == (FIRST.hex(), "running", SENT)
    assert datetime.fromisoformat(entry.started) == NOW
    journal.end(FIRST, "trained")
    (entry,) = journal.runs()
    assert (entry.state, entry.configuration, entry.started) == ("trained", SENT, NOW.isoformat())


def test_configuration_comes_back_as_the_very_bytes(journal):
    sent = '{"x": "é\\u00e9",  "a":1}'.encode()
    journal.begin(FIRST, sent, NOW)
    assert journal.runs()[0].configuration == sent


def test_runs_are_listed_by_age(journal, folder):
    journal.begin(SECOND, SENT, NOW)
    journal.begin(FIRST, SENT, NOW + timedelta(seconds=1))
    assert [one.run_id for one in journal.runs()] == [SECOND.hex(), FIRST.hex()]
    assert list_runs(folder) == journal.runs()
    assert list_runs(folder / "absent") == []


def trained(journal, run_id, seconds):
    journal.begin(run_id, SENT, NOW + timedelta(seconds=seconds))
    journal.end(run_id, "trained")


def test_finished_run_is_found_by_the_beginning_of_its_name(journal):
    trained(journal, SECOND, 0)
    trained(journal, FIRST, 1)
    assert journal.trained(None).run_id == FIRST.hex()
    assert journal.trained("ab").run_id == SECOND.hex()
    assert journal.trained(FIRST.hex()).run_id == FIRST.hex()
    with pytest.raises(ConfigurationError, match="more than one finished run begins like this"):
        journal.trained("a")
    with pytest.raises(ConfigurationError, match="no finished run"):
        journal.trained("b")


def test_run_whose_process_was_killed_has_stopped(journal, folder):
    journal.begin(FIRST, SENT, NOW)
    trained(journal, SECOND, 1)
    journal.close()  # what the system does for a killed process
    again = Journal(folder)
    assert [(one.state, one.configuration) for one in again.runs()] == [("stopped", SENT), ("trained", SENT)]
    again.close()


@pytest.mark.parametrize("state", ["running", "failed"])
def test_unfinished_run_is_no_run_to_use(journal, state):
    journal.begin(FIRST, SENT, NOW)
    if state != "running":
        journal.end(FIRST, state)
    with pytest.raises(ConfigurationError, match=r"--run \(latest\): no finished run; train first"):
        journal.trained(None)
    trained(journal, SECOND, -1)
    assert journal.trained(None).run_id == SECOND.hex()
    with pytest.raises(ConfigurationError, match="--run ffff: no finished run; see `coordinator status`"):
        journal.trained("ffff")


def committed(step, lineage=b"\1" * 32):
    return Commit(Mark(step, lineage), NOW.isoformat(), 1.5 * step, 10 * step)


def test_commits_are_kept_in_order_and_bounded(journal):
    journal.begin(FIRST, SENT, NOW)
    journal.agreed(FIRST, 700)
    assert (journal.entry(FIRST).began, journal.entry(FIRST).steps, journal.entry(FIRST).step) == (True, 700, 0)
    for step in range(10, 10 * (SAVED_COMMITS + 3), 10):
        journal.commit(FIRST, committed(step))
    entry = journal.entry(FIRST)
    assert entry.commits == tuple(committed(step) for step in range(30, 10 * (SAVED_COMMITS + 3), 10))
    assert entry.step == 10 * (SAVED_COMMITS + 2)


def test_a_commit_after_going_back_takes_the_place_of_later_ones(journal):
    journal.begin(FIRST, SENT, NOW)
    for step in (10, 20, 30):
        journal.commit(FIRST, committed(step))
    journal.commit(FIRST, committed(20, b"\2" * 32))
    assert journal.entry(FIRST).commits == (committed(10), committed(20, b"\2" * 32))


def test_only_a_run_that_began_and_stopped_can_go_on(journal, folder):
    journal.begin(FIRST, SENT, NOW)
    journal.agreed(FIRST, 7)
    with pytest.raises(ConfigurationError, match="no resumable run"):
        journal.resumable(None)
    journal.begin(SECOND, SENT, NOW)
    journal.close()
    again = Journal(folder)
    assert again.resumable(None).run_id == FIRST.hex()
    with pytest.raises(ConfigurationError, match=r"--resume ab: no resumable run; see `coordinator status`"):
        again.resumable("ab")
    request_stop(folder, FIRST.hex())
    assert again.stop_requested(FIRST)
    assert again.resume(FIRST).state == "running"
    assert not again.stop_requested(FIRST)
    again.end(FIRST, "failed")
    assert again.resumable(FIRST.hex()[:4]).run_id == FIRST.hex()
    again.end(FIRST, "trained")
    with pytest.raises(ConfigurationError):
        again.resumable(None)
    again.close()


def test_runs_are_forgotten_one_by_one(journal, folder):
    for run_id in (FIRST, SECOND):
        journal.begin(run_id, SENT, NOW)
    journal.remove(FIRST)
    assert [one.run_id for one in journal.runs()] == [SECOND.hex()]
    assert find_run(folder, "ab").run_id == SECOND.hex()
    with pytest.raises(ConfigurationError, match="RUN_ID aa: no run"):
        find_run(folder, "aa")


def test_lock_is_seen_from_outside(journal, folder):
    assert is_locked(folder)
    journal.close()
    assert not is_locked(folder)
    assert not is_locked(folder / "absent")


def test_lease_stays_the_same_and_is_secret(journal, folder):
    journal.close()
    again = Journal(folder)
    assert again.lease == journal.lease
    assert len(again.lease) == LEASE_BYTES
    assert (folder / "lease").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    again.close()


def test_folders_have_leases_of_their_own(tmp_path):
    journals = [Journal(tmp_path / name) for name in "ab"]
    assert journals[0].lease != journals[1].lease
    for journal in journals:
        journal.close()


OPEN = "import sys; from pathlib import Path; from coordinator.journal import Journal; Journal(Path(sys.argv[1]))"


def test_one_process_at_a_time(journal, folder):
    def other_process():
        return subprocess.run([sys.executable, "-c", OPEN, folder], capture_output=True, text=True, check=False)

    refused = other_process()
    assert refused.returncode != 0
    assert "another coordinator works with this output folder; wait for it or stop it" in refused.stderr
    with pytest.raises(SessionError, match="another coordinator works with this output folder"):
        Journal(folder)
    journal.close()
    assert other_process().returncode == 0


@pytest.mark.parametrize("content", [b"", b"short", bytes(LEASE_BYTES + 1)])
def test_damaged_lease_is_refused(journal, folder, content):
    journal.close()
    (folder / "lease").write_bytes(content)
    with pytest.raises(StorageError, match="lease is damaged; delete the file"):
        Journal(folder)
    (folder / "lease").unlink()
    Journal(folder).close()  # the refusal had let the folder go


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3", '{"run_id": "aa"}', "\ufffd"])
def test_damaged_entry_is_refused_by_name(journal, folder, content):
    journal.begin(FIRST, SENT, NOW)
    path = folder / FIRST.hex() / "run.json"
    path.write_text(content)
    with pytest.raises(StorageError, match=f"^{path}: journal entry is damaged"):
        journal.runs()


def test_entry_that_others_could_write_is_refused(journal, folder):
    journal.begin(FIRST, SENT, NOW)
    (folder / FIRST.hex() / "run.json").chmod(0o666)
    with pytest.raises(StorageError, match="is open to others"):
        journal.trained(None)


def test_entry_is_readable_by_people(journal, folder):
    journal.begin(FIRST, SENT, NOW)
    content = json.loads((folder / FIRST.hex() / "run.json").read_text())
    assert content == {
        "run_id": FIRST.hex(),
        "state": "running",
        "started": "2030-01-02T03:04:05+00:00",
        "steps": 0,
        "began": False,
        "continues": "",
        "commits": [],
        "configuration": SENT.decode(),
    }


def test_a_folder_that_cannot_be_locked_or_emptied_is_a_storage_error(tmp_path, journal):
    (tmp_path / "other" / "lock").mkdir(parents=True)
    (tmp_path / "other").chmod(0o700)
    with pytest.raises(StorageError, match="lock: cannot be opened: Is a directory"):
        Journal(tmp_path / "other")
    with pytest.raises(StorageError, match="cannot be deleted: No such file or directory"):
        journal.remove(FIRST)
