"""The requests of a run on disk: what was appended is found again after any crash, and nothing else is."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.errors import SessionError, StorageError
from party.protocol.request_journal import RequestEntry
from party.runtime.request_file import NAME, RequestFile

ENTRIES = [
    RequestEntry(position, (bytes([position]) * 32, bytes([position + 1]) * 32)) for position in (0, 1, 2, 5, 6, 9)
]
RECORD_BYTES = 8 + 2 * 32 + 4


def read(folder, position=0):
    file = RequestFile(folder, "alice", 2)
    found = list(file.open(position))
    file.close()
    return found


def write(folder, entries):
    file = RequestFile(folder, "alice", 2)
    list(file.open(0))
    for entry in entries:
        file.append(entry)
    file.sync()
    file.close()


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


def test_what_was_appended_in_several_sessions_is_found_from_any_position_on(folder):
    for entry in ENTRIES:
        write(folder, [entry])
    for position in range(11):
        assert read(folder, position) == [entry for entry in ENTRIES if entry.position >= position]
    assert (folder / NAME).stat().st_size == len(ENTRIES) * RECORD_BYTES
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600


@given(st.integers(0, len(ENTRIES) * RECORD_BYTES - 1), st.integers(0, 255), st.booleans())
def test_whatever_follows_a_torn_or_damaged_record_is_dropped_and_appending_goes_on(place, flipped, torn):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, ENTRIES)
        content = bytearray((folder / NAME).read_bytes())
        content[place] ^= flipped
        (folder / NAME).write_bytes(content[:place] if torn else content)
        intact = len(ENTRIES) if not (torn or flipped) else place // RECORD_BYTES
        assert read(folder) == ENTRIES[:intact]
        write(folder, ENTRIES[intact:])
        assert read(folder) == ENTRIES


@pytest.mark.parametrize("entries", [[], ENTRIES[1:3]])
@pytest.mark.parametrize("count", [1, 4, RECORD_BYTES, 5 * RECORD_BYTES + 3])
def test_zeros_at_the_end_are_no_entries(folder, entries, count):
    """What some file systems leave of a record where the machine stopped."""
    write(folder, entries)
    with (folder / NAME).open("ab") as file:
        file.write(bytes(count))
    assert read(folder) == entries
    assert (folder / NAME).stat().st_size == len(entries) * RECORD_BYTES


def test_entries_are_cut_from_a_position_on(folder):
    file = RequestFile(folder, "alice", 2)
    list(file.open(0))
    for entry in ENTRIES:
        file.append(entry)
    file.cut(5)
    file.append(ENTRIES[4])
    file.close()
    assert read(folder) == [*ENTRIES[:3], ENTRIES[4]]


def test_a_session_that_has_ended_notes_nothing_more(folder):
    """Its calls may still be under way while the next session reads what came."""
    file = RequestFile(folder, "alice", 2)
    list(file.open(0))
    file.append(ENTRIES[0])
    file.close()
    file.close()
    for late in (lambda: file.append(ENTRIES[1]), file.sync, lambda: file.cut(0)):
        with pytest.raises(SessionError, match=r"alice: requests.journal: the session has ended"):
            late()
    assert read(folder) == ENTRIES[:1]


def test_a_file_that_others_may_read_is_refused(folder):
    write(folder, ENTRIES)
    (folder / NAME).chmod(0o644)
    with pytest.raises(StorageError, match=r"is open to others"):
        read(folder)


APPENDING = """
import resource, signal, sys
from pathlib import Path
from party.errors import StorageError
from party.protocol.request_journal import RequestEntry
from party.runtime.request_file import RequestFile

file, limit = RequestFile(Path(sys.argv[1]), "alice", 2), int(sys.argv[2])
list(file.open(0))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
position = 0
while True:
    try:
        file.append(RequestEntry(position, (position.to_bytes(32, "big"),) * 2))
    except StorageError as error:
        print(error, flush=True)
        break
    print(position, flush=True)
    position += 1
"""


def appending(folder, limit_bytes=0):
    command = [sys.executable, "-c", APPENDING, str(folder), str(limit_bytes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_process_has_lost_no_entry_that_anything_followed_from(folder):
    with appending(folder) as process:
        for _ in range(200):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    told = 199 if not rest.strip() else int(rest.rstrip("\n").rpartition("\n")[2])
    found = read(folder)
    assert [entry.position for entry in found] == list(range(len(found)))
    assert len(found) > told >= 199


@pytest.mark.parametrize("limit_bytes", [3 * RECORD_BYTES, 3 * RECORD_BYTES + 7])
def test_a_disk_that_takes_no_more_leaves_what_was_there(folder, limit_bytes):
    """A limit on the file's size stands for the disk: some of a record fits, or nothing of it."""
    with appending(folder, limit_bytes) as process:
        told = process.stdout.read().splitlines()
    assert told[:3] == ["0", "1", "2"]
    assert told[3].startswith("alice: requests.journal: cannot be written: ")
    assert [entry.position for entry in read(folder)] == [0, 1, 2]
    assert (folder / NAME).stat().st_size == 3 * RECORD_BYTES
