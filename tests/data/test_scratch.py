"""Large arrays are in files that nobody can open, and that are gone with the array."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from party.data.scratch import IN_MEMORY, Scratch

WITHOUT_ROOM = """
import resource, signal, sys
from pathlib import Path
from party.data.scratch import Scratch
from party.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    Scratch(Path(sys.argv[1]), from_bytes=0).array(10_000, "i4")
except StorageError as error:
    print(error.fields.what, error.fields.expected)
"""


def mapped_files():
    """Files without a name that this process has mapped."""
    return sum("(deleted)" in line for line in Path("/proc/self/maps").read_text().splitlines())


def test_a_large_array_is_in_a_file_without_a_name(tmp_path):
    scratch, before = Scratch(tmp_path, from_bytes=400), mapped_files()
    large, small = scratch.array((50, 2), "<i4"), scratch.array(99, np.int32)
    assert mapped_files() == before + 1
    assert list(tmp_path.iterdir()) == []
    large[:], small[:] = np.arange(100).reshape(50, 2), 7
    assert large.tolist() == np.arange(100).reshape(50, 2).tolist()
    assert (type(large), large.dtype, small.dtype) == (np.ndarray, np.int32, np.int32)
    part = large[3:]
    del large
    assert part[0].tolist() == [6, 7]
    del part
    assert mapped_files() == before


def test_without_a_folder_everything_is_in_memory():
    before = mapped_files()
    assert IN_MEMORY.array(1 << 23, np.int32).shape == (1 << 23,)
    assert mapped_files() == before


def test_an_array_without_room_is_an_error_and_not_the_end_of_the_process(tmp_path):
    command = [sys.executable, "-c", WITHOUT_ROOM, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "there is no room for passing results 40000 bytes\n"
