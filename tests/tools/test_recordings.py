"""Recordings: what their comparison finds, and what a real run leaves in one."""

import subprocess
import sys

import numpy as np
import pytest

from tests.tools.recordings.processes import RecordingError
from tests.tools.recordings.recording import compare, load, save

CASE = "schedules: synchronous"
PARTIES = ("alice", "bob")


def program(*arguments, root):
    command = [sys.executable, "-m", "tests.tools.recordings", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root)


def run_compare(first, second, root, *options):
    process = program("compare", first, second, *options, root=root)
    output, errors = process.communicate()
    return process.returncode, output, errors


def results():
    return {
        "alice/weights.npz/kernel": np.array([[0.1, -0.2], [0.0, 3.0]], dtype=np.float32),
        "bob/steps.csv/loss": np.array(["0.7", "0.6543210987654321"]),
        "bob/predictions-test.csv/probability": np.array(["0.25", "0.5"]),
    }


@pytest.fixture
def recordings():
    return {"one": results(), "two": results()}, {"one": results(), "two": results()}


def differences(first, second):
    return {case: found for case, (_, _, found) in compare(first, second).items() if found}


def test_equal_recordings_are_equal_with_counts(recordings):
    assert compare(*recordings) == {"one": (3, 8, []), "two": (3, 8, [])}


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("bit", [0, 17, 31])
def test_a_changed_bit_is_found_and_named(recordings, place, bit):
    """Bit 31 of the third number is the sign of a zero."""
    first, second = recordings
    second["two"]["alice/weights.npz/kernel"].view(np.uint32).flat[place] ^= np.uint32(1 << bit)
    ((case, (found,)),) = differences(first, second).items()
    assert case == "two"
    assert found.startswith("alice/weights.npz/kernel: 1 of 4 differ: ")
    assert found.endswith(f" at {place}")


def test_not_a_number_equals_itself_and_no_other_one(recordings):
    first, second = recordings
    for one in recordings:
        one["one"]["alice/weights.npz/kernel"][0, 0] = np.nan
    assert not differences(first, second)
    second["one"]["alice/weights.npz/kernel"].view(np.uint32)[0, 0] ^= np.uint32(1)
    assert list(differences(first, second)) == ["one"]


def test_a_changed_last_digit_is_found(recordings):
    first, second = recordings
    second["one"]["bob/steps.csv/loss"] = np.array(["0.7", "0.6543210987654322"])
    assert differences(first, second) == {
        "one": ["bob/steps.csv/loss: 1 of 2 differ: 0.6543210987654321 and 0.6543210987654322 at 1"]
    }


def test_a_missing_array_is_found_on_either_side(recordings):
    first, second = recordings
    del second["one"]["alice/weights.npz/kernel"], first["two"]["bob/steps.csv/loss"]
    assert differences(first, second) == {
        "one": ["alice/weights.npz/kernel: missing in the second recording"],
        "two": ["bob/steps.csv/loss: missing in the first recording"],
    }


def test_a_missing_case_is_found_on_either_side(recordings):
    first, second = recordings
    del second["one"], first["two"]
    assert differences(first, second) == {
        "one": ["the case is missing in the second recording"],
        "two": ["the case is missing in the first recording"],
    }


@pytest.mark.parametrize("changed", [np.zeros((4,), np.float32), np.zeros((2, 2), np.float64)], ids=["shape", "dtype"])
def test_another_shape_or_dtype_is_found(recordings, changed):
    first, second = recordings
    first["one"]["alice/weights.npz/kernel"] = np.zeros((2, 2), np.float32)
    second["one"]["alice/weights.npz/kernel"] = changed
    assert list(differences(first, second)) == ["one"]


@pytest.mark.parametrize("name", results())
def test_a_recording_without_anything_of_a_kind_is_refused(tmp_path, recordings, name):
    first, _ = recordings
    del first["two"][name]
    with pytest.raises(RecordingError, match="case two has nothing of"):
        save(tmp_path / "recording", first)


def test_an_empty_recording_is_refused_by_the_program(tmp_path, recordings, pytestconfig):
    save(tmp_path / "full", recordings[0])
    np.savez(tmp_path / "empty.npz", libraries=np.array(["numpy 2"]))
    with pytest.raises(RecordingError, match="there is no case in it"):
        save(tmp_path / "other", {})
    for pair in (("full", "empty.npz"), ("empty.npz", "full"), ("empty.npz", "empty.npz")):
        code, output, errors = run_compare(*(tmp_path / one for one in pair), pytestconfig.rootpath)
        assert (code, output) == (1, "")
        assert "empty.npz: there is no case in it" in errors


def test_a_file_that_is_no_recording_is_refused(tmp_path):
    (tmp_path / "text").write_text("no recording")
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("text", "array.npy"):
        with pytest.raises(RecordingError, match="is no recording"):
            load(tmp_path / name)


def test_a_real_run_is_recorded(tmp_path, pytestconfig):
    """That parties which are started anew repeat its bits is asked of all runs: see tests/federation."""
    root, paths = pytestconfig.rootpath, [tmp_path / "first", tmp_path / "second"]
    process = program("record", paths[0], "--only", CASE, root=root)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    save(paths[1], load(paths[0])[1])
    code, output, errors = run_compare(*paths, root)
    assert (code, errors) == (0, ""), output
    assert output.endswith("1 of 1 cases are equal bit by bit\n")

    _, recorded = load(paths[0])
    arrays = recorded[CASE]
    for party in PARTIES:
        weights = [array for name, array in arrays.items() if name.startswith(f"{party}/weights.npz/")]
        assert sum(array.size for array in weights) > 500
        assert all(np.isfinite(array).all() for array in weights)
    for name in ("bob/history.json/history/loss", "bob/history.json/history/val_loss", "bob/steps.csv/loss"):
        losses = arrays[name].astype(float)
        assert np.isfinite(losses).all()
        assert len(set(losses)) == len(losses) > 1, name
    assert len(arrays["bob/predictions-test.csv/probability"]) > 100

    arrays["bob/predictions-test.csv/probability"] = np.roll(arrays["bob/predictions-test.csv/probability"], 1)
    save(paths[1], recorded)
    code, output, _ = run_compare(*paths, root)
    assert code == 1
    assert "bob/predictions-test.csv/probability: " in output
    code, _, errors = run_compare(*paths, root, "--only", "no such case")
    assert (code, "no case is named no such case" in errors) == (1, True)
