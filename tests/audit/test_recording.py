"""What a party receives is recorded once, bit for bit, for its owner alone, and survives a process that is killed."""

import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.audit.received_batch import ReceivedBatch, read_batch
from party.audit.received_file import ReceivedFile, received_files
from party.audit.received_header import ReceivedColumns, ReceivedHeader
from party.audit.recording import FOLDER, Recording, read_ids
from party.channel.place import Place
from party.errors import SessionError, StorageError

HIDDENS = (ReceivedColumns(name="deep", units=3), ReceivedColumns(name="linear", units=1))
HEADER = ReceivedHeader(
    kind="gradient", sender="bob", receiver="alice", dataset="train", purpose="training", hiddens=HIDDENS
)
COLUMNS = 4
BATCHES_OF_AN_EPOCH = 10


def epoch_of(position):
    return position // BATCHES_OF_AN_EPOCH


def values_at(position, rows=5):
    return np.random.default_rng(position).normal(size=(rows, COLUMNS)).astype(np.float32)


def place_at(position, rows=5, trains=True):
    return Place(position, np.arange(position, position + rows, dtype=np.int32), trains)


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


def record(folder, positions, header=HEADER):
    recording = Recording(folder, "alice", epoch_of)
    observe = recording.observer(header)
    for position in positions:
        observe(values_at(position), place_at(position))
    recording.close()
    return observe


def path_in(folder):
    return folder / FOLDER / HEADER.file_name


def expect_batches(folder, positions):
    (received,) = received_files(folder / FOLDER, "gradient")
    found = list(received.batches())
    assert [one.position for one in found] == list(positions)
    for one in found:
        np.testing.assert_array_equal(one.values, values_at(one.position), strict=True)
        np.testing.assert_array_equal(one.rows, place_at(one.position).rows, strict=True)
        assert (one.epoch, one.trains) == (epoch_of(one.position), True)


def test_batches_are_read_as_they_came(folder):
    record(folder, range(25))
    expect_batches(folder, range(25))
    assert received_files(folder / FOLDER, "hidden") == []


def test_only_the_owner_can_read(folder):
    record(folder, range(2))
    assert stat.S_IMODE((folder / FOLDER).stat().st_mode) == 0o700
    assert stat.S_IMODE(path_in(folder).stat().st_mode) == 0o600
    path_in(folder).chmod(0o640)
    with pytest.raises(StorageError, match="open to others"):
        received_files(folder / FOLDER, "gradient")


def test_a_position_that_comes_again_is_not_recorded_twice(folder):
    record(folder, [0, 1, 2, 2])
    record(folder, [1, 2, 3, 4])
    expect_batches(folder, range(5))


@settings(max_examples=20)
@given(cut=st.integers(min_value=1, max_value=3 * 400))
def test_a_torn_end_is_dropped_and_written_again(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("torn")
    record(folder, range(6))
    content = path_in(folder).read_bytes()
    first = len(HEADER.to_line())
    kept = max(first, len(content) - cut)
    path_in(folder).write_bytes(content[:kept])
    intact = (kept - first) // ((len(content) - first) // 6)
    expect_batches(folder, range(intact))
    record(folder, range(6))
    expect_batches(folder, range(6))


def test_a_changed_byte_ends_the_intact_part(folder):
    record(folder, range(3))
    content = bytearray(path_in(folder).read_bytes())
    content[-20] ^= 1
    path_in(folder).write_bytes(content)
    expect_batches(folder, range(2))


def test_a_damaged_length_claims_no_memory(tmp_path):
    batch = ReceivedBatch(position=0, epoch=0, trains=True, rows=place_at(0).rows, values=values_at(0))
    content = bytearray(batch.to_bytes())
    content[16:24] = b"\xff\xff\xff\x7f" * 2
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with path.open("rb") as file:
        assert read_batch(file) is None


def test_another_model_or_no_recording_is_refused(folder):
    record(folder, range(1))
    other = HEADER.model_copy(update={"hiddens": HIDDENS[:1]})
    with pytest.raises(StorageError, match="another model"):
        record(folder, range(1), other)
    path_in(folder).write_bytes(b"something else\n")
    with pytest.raises(StorageError, match="no received batches"):
        ReceivedFile(path_in(folder))


def test_a_call_after_the_end_records_nothing(folder):
    observe = record(folder, range(2))
    with pytest.raises(SessionError, match="has ended"):
        observe(values_at(2), place_at(2))
    expect_batches(folder, range(2))


def test_ids_are_written_once(folder):
    recording = Recording(folder, "alice", epoch_of)
    recording.note_ids("train", ["a", "b\nc", "ü"])
    recording.note_ids("train", ["others"])
    assert read_ids(folder / FOLDER, "train") == ["a", "b\nc", "ü"]


def test_columns_are_found_by_the_name_of_their_hidden():
    assert HEADER.columns_of("deep") == slice(0, 3)
    assert HEADER.columns_of("linear") == slice(3, 4)
    assert HEADER.columns_of("wide") is None
