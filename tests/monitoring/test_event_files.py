"""Event files, read by TensorFlow's own reader."""

import math

import pytest

from party.errors import StorageError
from party.monitoring.event_files import EventFile
from tests.support.event_reading import scalars


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path / "run" / "tensorboard"


def write(folder, session, epochs_before, series):
    file = EventFile(folder, epochs_before=epochs_before, session=session, now_seconds=lambda: 1_700_000_000.0)
    for epoch, one in enumerate(series, start=epochs_before + 1):
        file.add(epoch, {"loss": one})
    file.close()


def test_epochs_come_back(folder):
    write(folder, "aa", 0, [0.5, 0.25, 0.125])
    assert scalars(folder) == {"loss": [(1, 0.5), (2, 0.25), (3, 0.125)]}
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_a_resumed_run_repeats_counts_once(folder):
    """The first session wrote epochs that its crash lost; the second one begins after the first epoch."""
    write(folder, "aa", 0, [0.5, 9.0, 9.0])
    write(folder, "bb", 1, [0.25, 0.125, 0.0625])
    assert scalars(folder) == {"loss": [(1, 0.5), (2, 0.25), (3, 0.125), (4, 0.0625)]}
    assert len(list(folder.iterdir())) == 2


def test_sessions_are_read_in_their_order_whatever_their_names_and_clocks(folder):
    """Three sessions within a second, each with another random name; a reader takes files in the order of names."""
    for session, epochs_before in (("ff", 0), ("80", 1), ("00", 2)):
        write(folder, session, epochs_before, [0.5, 0.25])
    assert scalars(folder) == {"loss": [(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.25)]}


def test_undefined_metrics_are_left_out(folder):
    write(folder, "aa", 0, [0.5, math.nan, math.inf, 0.125])
    assert scalars(folder) == {"loss": [(1, 0.5), (4, 0.125)]}


def test_a_folder_that_cannot_be_written_is_a_typed_error(folder):
    folder.parent.mkdir(mode=0o700)
    folder.write_text("a file in its place")
    with pytest.raises(StorageError):
        write(folder, "aa", 0, [0.5])
