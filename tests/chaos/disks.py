"""A party whose state lies on a small, real file system: full, read-only, gone; the last commit stays usable."""

import subprocess

import pytest

from coordinator import connect
from coordinator.connecting import connect_federation
from coordinator.progress import SilentDisplay
from party.errors import StorageError
from tests.support.commands import expect_error
from tests.support.organisations import Organisations, make_frames

TRAINING = {"epochs": 3, "batch_size": 32, "optimizer": {"name": "adam"}}
MEBIBYTE = 1 << 20
ROOM = 4 * MEBIBYTE
LARGE = {"kind": "deepfm", "embedding_dimension": 64, "units": [256, 64]}
MODELS = {
    "alice": {"model": {**LARGE, "units": [64, 4]}},
    "bob": {"model": {**LARGE, "units": [64, 4]}},
}


class Lines(SilentDisplay):
    """Keeps what a person would have been told."""

    def __init__(self, lines):
        self._lines = lines

    def print_line(self, text):
        self._lines.append(text)


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


@pytest.fixture
def small(tmp_path):
    """Two parties, alice's state on a file system of its own; needs the right to mount."""
    with Organisations(tmp_path, frames=make_frames(("alice", "bob")), training=TRAINING, overrides=MODELS) as made:
        state = made.state_path("alice")
        state.mkdir(parents=True, mode=0o700)
        mount("-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "tmpfs", state)
        made.state = state
        try:
            made.start_servers().write_run(checkpoints={"every_steps": 2})
            with connect(made.run_path) as parties:
                parties.align()
                made.reference = weights(made, parties.fit().run_id)
            yield made
        finally:
            for name in list(made.servers):
                made.stop_server(name)
            subprocess.run(["umount", "--lazy", str(state)], check=True)


def weights(organisations, run_id):
    return {
        (name, key): array.tobytes()
        for name in organisations.names
        for key, array in organisations.weights(name, run_id).items()
    }


def checkpoint_steps(organisations, name):
    paths = (organisations.state_path(name) / "runs").glob("*/checkpoints/*.checkpoint")
    return sorted(int(path.name[:12]) for path in paths)


def fill(organisations, leave):
    """Leaves so many bytes of the file system free."""
    ballast = organisations.state / "ballast"
    free = (
        int(
            subprocess.run(
                ["stat", "-f", "-c", "%a %S", organisations.state], capture_output=True, text=True, check=True
            ).stdout.split()[0]
        )
        * 4096
    )
    ballast.write_bytes(bytes(max(0, free - leave)))
    return ballast


def expect_stopped_with(organisations, *parts):
    done = organisations.coordinator("train", "--new")
    expect_error(done, StorageError.exit_code, "alice", *parts)
    assert "Traceback" not in done.stdout


def resume(organisations):
    lines = []
    with connect_federation(organisations.run_path, lambda: Lines(lines)) as parties:
        history = parties.fit(resume="")
    return weights(organisations, history.run_id), lines


def test_a_disk_that_fills_up_in_a_checkpoint(small):
    sizes = [path.stat().st_size for path in small.state.glob("runs/*/checkpoints/*.checkpoint")]
    ballast = fill(small, leave=3 * max(sizes) - max(sizes) // 2)  # room for two, and half of a third one
    expect_stopped_with(small, "cannot be written: No space left on device")
    kept = checkpoint_steps(small, "bob")
    ballast.unlink()
    resumed, lines = resume(small)
    assert any(line.startswith("resuming from step ") and " step 0 " not in line for line in lines), (lines, kept)
    assert resumed == small.reference


def test_a_disk_without_room_for_the_first_checkpoint(small):
    ballast = fill(small, leave=16 * 1024)
    expect_stopped_with(small, "cannot be written: No space left on device")
    ballast.unlink()
    resumed, lines = resume(small)
    assert any("resuming from step 0 of" in line for line in lines), lines
    assert resumed == small.reference


def test_a_folder_that_turns_read_only(small):
    done = small.coordinator("train", "--new")
    assert done.returncode == 0
    mount("-o", "remount,ro", small.state)
    expect_error(small.coordinator("train", "--new"), StorageError.exit_code, "alice", "Read-only file system")
    mount("-o", f"remount,rw,size={ROOM}", small.state)
    with connect(small.run_path) as parties:
        assert weights(small, parties.fit().run_id) == small.reference


def test_a_file_system_that_is_gone(small):
    with connect(small.run_path) as parties:
        run_id = parties.fit().run_id
    subprocess.run(["umount", "--lazy", str(small.state)], check=True)
    try:
        done = small.coordinator("predict", "--dataset", "train", "--run", run_id)
        expect_error(done, 10, "alice: run ", "no such run here")
    finally:
        mount("-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "tmpfs", small.state)
