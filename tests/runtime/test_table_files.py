"""Large tables in checkpoints: whatever changed and wherever a process ends, the committed bits come back."""

import dataclasses
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from party.cut.large_table import StoredTable
from party.cut.state import State
from party.cut.touched_rows import TouchedRows
from party.errors import CheckpointError, StorageError
from party.protocol.checkpoints import ORIGIN, Mark
from party.runtime import table_copies
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.request_file import RequestFile
from party.runtime.training_checkpoints import TrainingCheckpoints
from party.security.sealing import SealingKeys

ROWS, KEEP = 40, 2
WHOLE_ROW_BYTES = 3 * 4 + 1 * 8
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Training:
    """A table and a slot that training changes row by row, and the real checkpoints of a party without peers."""

    def __init__(self, folder, start=ORIGIN, session=b"first"):
        self.folder, self.step = folder, start.step
        self.touched = TouchedRows(ROWS)
        self.table = np.arange(ROWS * 3, dtype=np.float32).reshape(ROWS, 3)
        self.slot = np.zeros((ROWS, 1))
        self.files = CheckpointFiles(folder, "alice")
        if start != ORIGIN:
            restored = self.files.read(start).tables
            self.table, self.slot = (restored[name].whole().copy() for name in ("base/table", "base/slot"))
            self.touched.restart(restored["base/table"].touched.since_base())
        self.requests = RequestFile(folder, "alice", 1)
        list(self.requests.open(0))
        keys = SealingKeys(bytes([len(session)]) * 32, {}, {})
        self.checkpoints = TrainingCheckpoints(
            keys, self.files, self.requests, party="alice", peers=[], dataset="train", start=start, keep=KEEP
        )

    def train(self, rows):
        self.step += 1
        chosen = np.array(rows, np.int64)
        self.table[chosen] += self.step
        self.slot[chosen] -= self.step / 3
        self.touched.touch(chosen)

    def take(self):
        tables = {  # nothing changes a stored table, and training goes on here
            "base/table": StoredTable(self.table.copy(), self.touched),
            "base/slot": StoredTable(self.slot.copy(), self.touched),
        }
        self.checkpoints.take(self.step, State({"step": self.step}, {"bias": np.full(2, self.step)}, tables))
        return self.checkpoints.mark(self.step)

    def checkpoint(self):
        mark = self.take()
        self.checkpoints.prepare(self.step)
        self.checkpoints.commit(self.step, [])
        return mark

    def picture(self):
        return self.table.tobytes(), self.slot.tobytes()

    def close(self):
        self.requests.close()


def stored_picture(folder, mark):
    state = CheckpointFiles(folder, "alice").read(mark)
    assert state.values == {"step": mark.step}
    np.testing.assert_array_equal(state.arrays["bias"], np.full(2, mark.step))
    return tuple(state.tables[name].whole().tobytes() for name in ("base/table", "base/slot"))


def files_of(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir() if path.name != "committed.json")


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def training(folder):
    made = Training(folder)
    yield made
    made.close()


some_rows = st.lists(st.integers(0, ROWS - 1), max_size=9)
actions = st.lists(
    st.tuples(st.sampled_from(["train", "train", "take", "prepare", "commit", "all", "resume"]), some_rows), max_size=40
)


@given(actions)
@example([("take", []), ("train", [0]), ("prepare", []), ("commit", [])])
def test_any_sequence_of_touches_and_checkpoints_restores_exactly(taken):
    with tempfile.TemporaryDirectory(dir=MEMORY) as scratch:
        folder = Path(scratch)
        training, expected, committed = Training(folder), {}, []
        latest, prepared, sessions, uncommitted = None, None, 0, 0
        for action, rows in taken:
            match action:
                case "train" | "all":
                    training.train(rows if action == "train" else range(ROWS))
                case "take" if uncommitted < 8:
                    latest, prepared = training.take(), None
                    uncommitted += 1
                    expected[latest] = training.picture()
                case "prepare" if latest is not None and prepared is None:
                    training.checkpoints.prepare(latest.step)
                    prepared = latest
                case "commit" if prepared is not None:
                    training.checkpoints.commit(prepared.step, [])
                    earlier = [one for one in committed if one.step < prepared.step]
                    committed = [*earlier[-KEEP + 1 :], prepared]
                    latest = prepared = None
                    uncommitted = 0
                case "resume":
                    training.close()
                    sessions, uncommitted = sessions + 1, 0
                    training = Training(folder, committed[-1] if committed else ORIGIN, b"x" * (sessions + 10))
                    latest = prepared = None
            for mark in committed:
                assert stored_picture(folder, mark) == expected[mark]
        training.close()


def test_a_checkpoint_holds_changed_rows_until_they_are_many(folder, training):
    sizes, kinds = [], []
    for rows in ([0, 1], [2, 3], [1, 4], range(5, 12), [0], [13]):
        training.train(rows)
        mark = training.checkpoint()
        header = CheckpointFiles(folder, "alice")._tables.base_of(mark)
        kinds.append("whole" if header.mark == mark else header.mark.step)
        sizes.append((folder / "checkpoints" / f"{mark.step:012d}-{mark.lineage.hex()}.tables").stat().st_size)
    assert kinds == ["whole", 1, 1, "whole", 4, 4]
    overhead = sizes[0] - ROWS * WHOLE_ROW_BYTES
    assert sizes[1] < overhead + 2 * (WHOLE_ROW_BYTES + 16) + 300
    assert sizes[2] - sizes[1] == 2 * (WHOLE_ROW_BYTES + 16)  # two rows more, each with its number, of two tables
    assert sizes[3] == sizes[0]


def test_no_more_than_two_whole_files_remain(folder, training):
    for step in range(20):
        training.train([step, (step * 7) % ROWS, (step * 11) % ROWS])
        training.checkpoint()
        held = files_of(folder)
        tables = [name for name in held if name.endswith(".tables")]
        whole = [name for name in tables if (folder / "checkpoints" / name).stat().st_size > ROWS * WHOLE_ROW_BYTES]
        assert len(held) - len(tables) <= KEEP
        assert len(whole) <= 2
        assert len(tables) <= 4


def prepared_points(training):
    """The first checkpoint, which is whole, and one of changed rows that builds on it."""
    training.train([1, 2])
    whole = training.checkpoint()
    training.train([3])
    return whole, training.checkpoint()


@pytest.mark.parametrize("which", ["rows", "base"])
def test_missing_damaged_and_foreign_files_are_told_and_never_used(folder, training, which):
    whole, rows = prepared_points(training)
    files, mark = CheckpointFiles(folder, "alice"), rows if which == "rows" else whole
    path = files._tables._path(mark)
    content = path.read_bytes()
    where = rf"^alice: tables of step {mark.step}: "
    for length in (0, 10, 60, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=f"{where}are damaged: "):
            files.read(rows)
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(CheckpointError, match=r"^alice: tables of step "):
            files.read(rows)
    path.unlink()
    with pytest.raises(CheckpointError, match=f"{where}are missing; the coordinator goes back"):
        files.read(rows)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{where}cannot be read: .* is open to others") as refused:
        files.read(rows)
    assert str(folder) not in refused.value.public_message
    path.chmod(0o600)
    assert stored_picture(folder, rows) == training.picture()


def test_whole_tables_of_another_history_are_refused(folder, training, tmp_path_factory):
    whole, rows = prepared_points(training)
    other_folder = tmp_path_factory.mktemp("other")
    other_folder.chmod(0o700)
    other = Training(other_folder)
    other.train([7])  # another row: a whole and valid file, of the same step and name
    other.checkpoint()
    other.close()
    path, files = training.files._tables._path(whole), CheckpointFiles(folder, "alice")
    (foreign,) = (other_folder / "checkpoints").glob("*.tables")
    path.write_bytes(foreign.read_bytes())
    with pytest.raises(CheckpointError, match=r"tables of step 1: are not those that the checkpoint was written with"):
        files.read(rows)
    path.write_bytes(files._tables._path(rows).read_bytes())  # rows in place of whole tables
    with pytest.raises(CheckpointError, match=r"tables of step 1: are of another form than those that build on them"):
        files.read(rows)


def test_a_base_that_was_damaged_meanwhile_does_not_become_part_of_a_new_one(folder, training):
    whole, rows = prepared_points(training)
    path = training.files._tables._path(whole)
    content = path.read_bytes()
    path.write_bytes(content[:-60] + bytes([content[-60] ^ 1]) + content[-59:])
    training.train(range(20))
    training.take()
    with pytest.raises(CheckpointError, match=r"^alice: tables of step 1: are damaged: its digest is another one"):
        training.checkpoints.prepare(training.step)
    assert training.files.prepared() == sorted([whole, rows])
    assert not [name for name in files_of(folder) if f"{training.step:012d}" in name]


def test_a_full_disk_is_told_as_such_while_whole_tables_are_merged(folder, training, monkeypatch):
    _, rows = prepared_points(training)
    before = stored_picture(folder, rows)
    training.train(range(20))
    training.take()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr(training.requests, "sync", lambda: None)
    with pytest.raises(StorageError, match="cannot be written: No space left on device"):
        training.checkpoints.prepare(training.step)
    monkeypatch.undo()
    assert stored_picture(folder, rows) == before
    assert not list((folder / "checkpoints").glob(".*partial")), "what is half written would keep the disk full"


class Killed(BaseException):
    """The end of a process: no code of it runs any more."""


class Kill:
    """Ends a process before one of its operations on files; whatever it tries afterwards does nothing either."""

    def __init__(self, monkeypatch, last):
        self.count, self.last = 0, last
        for owner, name in ((os, "open"), (os, "fsync"), (Path, "replace"), (Path, "unlink")):
            monkeypatch.setattr(owner, name, self.around(getattr(owner, name)))

    def around(self, operation):
        def instead(*arguments, **settings):
            self.count += 1
            if self.count > self.last:
                raise Killed
            return operation(*arguments, **settings)

        return instead


def killed_run(folder, last, monkeypatch):
    """A run that is killed at its third or fourth checkpoint: of rows, then whole. Committed and last taken points."""
    training = Training(folder)
    expected, committed = {}, []
    for rows in ([1, 2], [3, 4]):
        training.train(rows)
        mark = training.checkpoint()
        expected[mark] = training.picture()
        committed.append(mark)
    with monkeypatch.context() as patched:
        kill = Kill(patched, last)
        try:
            for rows in ([5, 1], range(2, 20)):
                training.train(rows)
                mark = training.take()
                expected[mark] = training.picture()
                training.checkpoints.prepare(training.step)
                committed.append(mark)  # in the coordinator's journal, before any party hears of it
                training.checkpoints.commit(training.step, [])
        except Killed:
            pass
        else:
            return None
    training.close()
    assert kill.count >= last
    return committed, expected


@pytest.fixture
def memory():
    """A folder on a disk that nothing waits for."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as scratch:
        yield Path(scratch)


def test_a_kill_before_any_operation_on_files_leaves_every_committed_point(memory, monkeypatch):
    operations = 0
    while operations < 200:
        folder = memory / str(operations)
        folder.mkdir(mode=0o700)
        left = killed_run(folder, operations, monkeypatch)
        if left is None:
            break
        committed, expected = left
        assert stored_picture(folder, committed[-1]) == expected[committed[-1]]
        resumed = Training(folder, committed[-1], b"another session")
        assert resumed.picture() == expected[committed[-1]]
        assert not list((folder / "checkpoints").glob(".*partial"))
        for rows in ([0], range(5, 30), [3]):
            resumed.train(rows)
            mark = resumed.checkpoint()
            assert stored_picture(folder, mark) == resumed.picture()
        resumed.close()
        names = files_of(folder)
        assert len([name for name in names if name.endswith(".checkpoint")]) == KEEP
        assert len([name for name in names if name.endswith(".tables")]) <= KEEP + 2
        operations += 1
    assert 20 < operations < 200, "the run ended before each of its operations, and once by itself"


def test_tables_that_no_checkpoint_names_are_removed_at_the_next_start(folder, training):
    _, rows = prepared_points(training)
    orphan = training.files._tables._path(Mark(9, bytes(32)))
    orphan.write_bytes(training.files._tables._path(rows).read_bytes())
    half = orphan.with_name(f".{orphan.name}.partial")
    half.write_bytes(b"half")
    again = Training(folder, rows, b"another session")
    again.close()
    assert not orphan.exists()
    assert not half.exists()
    assert again.picture() == training.picture()


def test_nothing_is_removed_where_one_file_cannot_be_read(folder, training):
    whole, rows = prepared_points(training)
    path = training.files._tables._path(rows)
    path.write_bytes(path.read_bytes()[:20])  # which file it builds on is not known any more
    training.files.drop(())
    assert training.files._tables._path(whole).exists()


def test_states_without_large_tables_have_the_files_that_they_had(folder, training):
    training.checkpoints.take(1, State({"step": 1}, {"bias": np.zeros(2)}))
    training.checkpoints.prepare(1)
    (name,) = files_of(folder)
    assert name.endswith(".checkpoint")
    assert training.files.base_of(training.checkpoints.mark(1)) is None


def test_a_snapshot_copies_changed_rows_alone(training):
    prepared_points(training)
    taken = []

    class Watched(StoredTable):
        def take(self, rows):
            taken.append(len(rows))
            return super().take(rows)

        def whole(self):
            raise AssertionError("read as a whole")

    training.train([8, 9])
    tables = {
        "base/table": Watched(training.table, training.touched),
        "base/slot": Watched(training.slot, training.touched),
    }
    training.checkpoints.take(training.step, State({"step": training.step}, {}, tables))
    assert taken == [3, 3]  # one since the whole file, and two now
    copied = training.checkpoints._copy.tables
    assert not copied.becomes_base
    before = {name: one.values.copy() for name, one in copied.tables.items()}
    training.train([8, 9])
    for name, one in copied.tables.items():
        np.testing.assert_array_equal(one.values, before[name])


def test_the_share_from_which_whole_tables_are_written_is_that_of_all_tables_together():
    small, large = StoredTable(np.zeros((10, 1)), TouchedRows(10)), StoredTable(np.zeros((90, 1)), TouchedRows(90))
    tables = {"small": small, "large": large}
    small.touched.touch_all()
    counts = {id(one.touched): len(one.touched.since_base()) for one in tables.values()}
    assert not table_copies._are_many(tables, counts)
    large.touched.touch(np.arange(30))
    counts = {id(one.touched): len(one.touched.since_base()) for one in tables.values()}
    assert table_copies._are_many(tables, counts)


def test_a_reference_names_one_content(folder, training):
    whole, rows = prepared_points(training)
    tables = training.files._tables
    base = tables.base_of(rows)
    assert base.mark == whole
    with pytest.raises(CheckpointError, match="are not those that the checkpoint was written with"):
        tables.read(dataclasses.replace(base, digest=bytes(32)))
