"""Arrays of stored alignments come back as they were, also those that are mapped from a file; damage is found."""

import numpy as np
import pytest

from party.alignment.stored_arrays import read_arrays, write_arrays
from party.data.scratch import IN_MEMORY, Scratch
from party.security.files import private_folder

ARRAYS = {
    "rows": np.arange(1000, dtype="<i8"),
    "map": np.array([-1, 5], "<i4"),
    "none": np.zeros(0, np.int32),
    "header": np.frombuffer(b"{}", np.uint8),
}


@pytest.mark.parametrize("in_files", [False, True])
def test_what_is_written_is_read(tmp_path, in_files):
    path = private_folder(tmp_path / "alignments") / "train.npz"
    write_arrays(path, ARRAYS)
    found = read_arrays(path, Scratch(tmp_path, from_bytes=100) if in_files else IN_MEMORY)
    assert {name: (one.dtype, one.tolist()) for name, one in found.items()} == {
        name: (one.dtype, one.tolist()) for name, one in ARRAYS.items()
    }
    assert [one.name for one in path.parent.iterdir()] == ["train.npz"]
    with np.load(path) as arrays:
        assert arrays["rows"].tolist() == ARRAYS["rows"].tolist()


def test_a_changed_or_shortened_file_is_damaged(tmp_path):
    path = private_folder(tmp_path / "alignments") / "train.npz"
    write_arrays(path, ARRAYS)
    content = path.read_bytes()
    for place in range(0, len(content), 97):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        for damaged in (bytes(changed), content[:place]):
            path.write_bytes(damaged)
            try:
                found = read_arrays(path, IN_MEMORY)
            except Exception as error:  # which ones a damage gives is checked here
                assert isinstance(error, ValueError | KeyError | EOFError | OSError | NotImplementedError) or (
                    type(error).__name__ == "BadZipFile"
                ), repr(error)
            else:  # a byte that says nothing of the arrays
                assert found.keys() != ARRAYS.keys() or all(
                    found[name].tolist() == one.tolist() for name, one in ARRAYS.items()
                )
