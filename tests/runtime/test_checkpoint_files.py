"""Checkpoints on disk are what was written, or are refused by name: never something else."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from party.cut.state import State, join_states, part_of
from party.errors import CheckpointError, StorageError
from party.protocol.checkpoints import ORIGIN, Mark
from party.runtime.checkpoint_files import CheckpointFiles, pack_state, unpack_state

FIRST, SECOND = ORIGIN.after(b"one", 10), ORIGIN.after(b"two", 10)
STATE = State(
    {"sums": {"loss": math.nan, "auc": 0.1}, "best": -math.inf, "none": None, "epochs": [[0, None]]},
    {"weights/0": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(3, np.int64), "empty": np.empty(0)},
)
NAMES = st.text("abc/_.é", min_size=1, max_size=8)
ANY_ARRAY = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint8, np.uint32, np.bool_]),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
PLAIN = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5)


@pytest.fixture
def files(tmp_path):
    return CheckpointFiles(tmp_path / "run", "alice")


def same(one, other):
    assert repr(dict(one.values)) == repr(dict(other.values))
    assert set(one.arrays) == set(other.arrays)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], strict=True)
    return True


@given(st.dictionaries(NAMES, PLAIN, max_size=4), st.dictionaries(NAMES, ANY_ARRAY, max_size=4))
def test_any_state_comes_back_to_the_bit(values, held):
    state = State(values, held)
    assert same(unpack_state(pack_state(state)), state)
    joined = join_states({"a": state, "b": STATE})
    assert same(part_of(joined, "a"), state)
    assert same(part_of(joined, "b"), STATE)


@given(st.data())
def test_any_altered_byte_and_any_cut_is_noticed(data):
    content = pack_state(STATE)
    place = data.draw(st.integers(0, len(content) - 1))
    altered = bytearray(content)
    altered[place] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(altered), content[:place], content + b"\0", b""):
        with pytest.raises(ValueError, match=r"^it is no checkpoint, or cut short$|^its digest is another one$"):
            unpack_state(damaged)


def test_points_of_one_step_do_not_get_in_each_others_way(files):
    assert files.prepared() == []
    files.write(FIRST, STATE)
    files.write(SECOND, State({"x": 2}))
    assert files.prepared() == sorted([FIRST, SECOND])
    assert same(files.read(FIRST), STATE)
    assert files.read(SECOND).values == {"x": 2}
    files.drop((FIRST, Mark(99, bytes(32))))
    assert files.prepared() == [SECOND]


@pytest.mark.parametrize("content", [b"", b"x", pack_state(STATE)[:-1]])
def test_a_damaged_file_is_told_by_party_and_step(files, content):
    files.write(FIRST, STATE)
    (path,) = (files._folder).glob("*.checkpoint")
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"^alice: checkpoint of step 10: is damaged: it"):
        files.read(FIRST)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"^alice: checkpoint of step 10: is missing"):
        files.read(FIRST)


def test_what_others_could_have_written_is_not_used(files):
    files.write(FIRST, STATE)
    (path,) = files._folder.glob("*.checkpoint")
    path.chmod(0o644)
    with pytest.raises(CheckpointError, match=r"cannot be read: .* is open to others"):
        files.read(FIRST)


@pytest.mark.parametrize("content", [b"", b"[[1]]", b"{}", b'[["x", "y"]]', b"\xff"])
def test_a_damaged_list_of_commits_keeps_everything(files, content):
    files.write(FIRST, STATE)
    files.note_committed([FIRST])
    assert files.committed() == [FIRST]
    (files._folder / "committed.json").write_bytes(content)
    assert files.committed() == []


def test_leftovers_of_a_killed_process_are_no_checkpoints(files):
    files.write(FIRST, STATE)
    (files._folder / f".{files._path(SECOND).name}.partial").write_bytes(pack_state(STATE)[:40])
    assert files.prepared() == [FIRST]
    files.write(SECOND, STATE)
    assert same(files.read(SECOND), STATE)
    leftover = files._folder / f".{files._path(Mark(11, bytes(32))).name}.partial"
    leftover.write_bytes(b"half")
    files.sweep()
    assert not leftover.exists()
    assert files.prepared() == sorted([FIRST, SECOND])


def test_a_folder_that_cannot_be_written_is_told(files, monkeypatch):
    files.write(FIRST, STATE)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="cannot be written: No space left on device"):
        files.write(SECOND, STATE)
    monkeypatch.undo()
    assert files.prepared() == [FIRST]
    assert same(files.read(FIRST), STATE)
