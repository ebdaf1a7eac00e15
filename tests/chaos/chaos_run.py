"""Training runs whose processes are killed at instants drawn from a seed, and what must be left of them."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np

from party.configuration.large_tables import LARGE_TABLE_ROWS
from party.ledger.file import read_ledger
from tests.support.joined_organisations import JoinedOrganisations, described, events
from tests.support.organisations import SMALL_FUSE, SMALL_MODEL, Organisations, make_frames

NAMES = ("alice", "bob", "charlie")
TRAINING = {"epochs": 12, "validation_fraction": 0.1, "batch_size": 16, "optimizer": {"name": "adam"}}
POLICY = {"minimum_metric_rows": 1, "maximum_restores": 100}  # a kill may cost several returns
DROPOUT = {
    "alice": {"model": {**SMALL_MODEL, "dropout": 0.2}, "policy": POLICY},
    "bob": {"model": SMALL_MODEL, "fuse": {**SMALL_FUSE, "dropout": 0.2}, "policy": POLICY},
    "charlie": {"model": SMALL_MODEL, "policy": POLICY},
}
ROWS = 1600
LARGE_TABLES = {  # so large that checkpoints hold their changed rows
    "alice": {"features": [{"column": "income", "kind": "hash", "buckets": LARGE_TABLE_ROWS}]},
    "bob": {"features": [{"column": "film", "kind": "hash", "buckets": LARGE_TABLE_ROWS}]},
}
EVERY_STEPS = 5
LONGEST_UNDISTURBED_SECONDS = 3.0
DEADLINE_SECONDS = 240.0
POLL_SECONDS = 0.0005


def joined_parties():
    """Overrides of three parties with joins; rows without a user stay."""
    parties = described(("left", "inner"), ("train",), bob={"train": events(ROWS)})
    return {
        name: {**one, **DROPOUT[name], "policy": {**one.get("policy", {}), **POLICY}} for name, one in parties.items()
    }


class ChaosRun:
    """Three parties and a coordinator, each a process of its own that may be killed and is started again.

    Args:
        folder: empty, private.
        training: keys of its training section besides TRAINING.
        joined: whether the rows of bob refer to tables of the others, instead of one id in all files.
        overrides: by party, keys of its description besides DROPOUT.
    """

    def __init__(self, folder, training=None, *, joined=False, overrides=None):
        section = {**TRAINING, **(training or {})}
        if joined:
            self.organisations = JoinedOrganisations(folder, joined_parties(), section)
        else:
            frames = make_frames(NAMES, rows=ROWS)
            described = {name: {**one, **(overrides or {}).get(name, {})} for name, one in DROPOUT.items()}
            self.organisations = Organisations(
                folder, names=NAMES, frames=frames, training=section, overrides=described
            )
        self.coordinator = None
        self.kills = []

    def __enter__(self):
        self.organisations.start()
        for name in NAMES:  # a party that is started again is found where it was
            self.organisations.write_party(name, listen=f"127.0.0.1:{self.organisations.ports[name]}")
        self.organisations.write_run(
            checkpoints={"every_steps": EVERY_STEPS},
            alignment={"datasets": ["train"]},
            evaluate_dataset="train",
            connect_timeout_seconds=30.0,
            reconnect_seconds=60.0,
        )
        self.call("align")
        return self

    def __exit__(self, *error):
        if self.coordinator is not None and self.coordinator.poll() is None:
            self.coordinator.kill()
            self.coordinator.wait()
        self.organisations.__exit__()

    def call(self, *arguments):
        done = self.organisations.coordinator(*arguments)
        if done.returncode:
            raise AssertionError(f"coordinator {arguments}: {done.stderr}")
        return done.stdout

    def train(self):
        """One run that nobody disturbs; its run_id."""
        self.call("train", "--new")
        return self.entry()["run_id"]

    def train_through(self, seed, kills, strike_inside=()):
        """One run in which processes are killed, each at an instant of its own; its run_id.

        Args:
            seed: decides which process and when.
            kills: how many.
            strike_inside: for the first kills, "checkpoint" or "commit": wait for the inside of one.
        """
        draw = random.Random(seed)
        known = {entry["run_id"] for entry in self.entries()}
        self.start_coordinator("--new")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not {entry["run_id"] for entry in self.entries()} - known:
            self.check(deadline)
        (run_id,) = {entry["run_id"] for entry in self.entries()} - known
        wishes = list(strike_inside)
        while len(self.kills) < kills and self.entry()["state"] != "trained":
            victim = draw.choice([*NAMES, "coordinator"])
            inside = self.wait_for(wishes[0], run_id, victim, deadline) if wishes else self.wait(draw, deadline)
            if self.kill(victim, inside) and wishes:
                wishes.pop(0)
        while (entry := self.entry())["state"] != "trained":
            self.check(deadline)
            self.revive()
        self.coordinator.wait(timeout=DEADLINE_SECONDS)
        return entry["run_id"]

    def wait(self, draw, deadline):
        """Lets a drawn time pass; the clock alone makes instants that no code was written for."""
        end = time.monotonic() + draw.uniform(0.0, LONGEST_UNDISTURBED_SECONDS)
        while time.monotonic() < min(end, deadline):
            self.revive()
            time.sleep(POLL_SECONDS)
        return "any instant"

    def wait_for(self, wish, run_id, victim, deadline):
        """Waits until files show that a checkpoint is being written, or that it is written and not committed yet."""
        while time.monotonic() < deadline:
            self.revive()
            if self.is_inside(wish, victim):
                return wish
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"never inside of a {wish}")

    def is_inside(self, wish, victim):
        entry = self.entry()
        if entry["state"] != "running" or not entry["began"]:
            return False
        folders = [self.checkpoint_folder(name, entry["run_id"]) for name in NAMES]
        if wish == "checkpoint":
            writers = folders if victim == "coordinator" else [self.checkpoint_folder(victim, entry["run_id"])]
            return any(list(folder.glob(".*.checkpoint.partial")) for folder in writers)
        journal = (self.organisations.runs_path / entry["run_id"] / "run.json").stat().st_mtime_ns
        written = [path for folder in folders for path in folder.glob("*.checkpoint")]
        with contextlib.suppress(FileNotFoundError):  # dropped in between
            return any(path.stat().st_mtime_ns > journal for path in written)
        return False

    def kill(self, victim, inside):
        process = self.coordinator if victim == "coordinator" else self.organisations.processes[victim].process
        if process.poll() is not None:
            return False
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.kills.append((victim, inside, self.traces()))
        return True

    def traces(self):
        """What the kill left on the disks since the journal was written last: shows what it interrupted."""
        run_id = self.entry()["run_id"]
        journal = (self.organisations.runs_path / run_id / "run.json").stat().st_mtime_ns
        folders = [self.checkpoint_folder(name, run_id) for name in NAMES]
        torn = [path for folder in folders for path in folder.glob(".*.checkpoint.partial")]
        written = [path for folder in folders for path in folder.glob("*.checkpoint")]
        return {
            "torn": any(path.stat().st_mtime_ns > journal for path in torn),
            "uncommitted": any(path.stat().st_mtime_ns > journal for path in written),
        }

    def revive(self):
        """Starts whatever is dead, as systemd or a person would."""
        for name in NAMES:
            if not self.organisations.processes[name].is_running:
                self.organisations.processes[name].launch()
        if self.coordinator.poll() is not None:
            entry = self.entry()
            if entry["state"] == "trained":
                return
            self.start_coordinator(*(["--resume", entry["run_id"]] if entry["began"] else ["--new"]))

    def start_coordinator(self, *arguments):
        command = [sys.executable, "-m", "coordinator", "train", *arguments]
        log = (self.organisations.folder / "coordinator.log").open("ab")
        self.coordinator = subprocess.Popen(
            [*command, "--config", str(self.organisations.run_path)],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        log.close()

    def check(self, deadline):
        if time.monotonic() > deadline:
            log = (self.organisations.folder / "coordinator.log").read_text()[-3000:]
            raise AssertionError(f"the run did not end: {self.entry()}\n{log}")
        time.sleep(0.05)

    def entries(self):
        found = [json.loads(path.read_text()) for path in self.organisations.runs_path.glob("*/run.json")]
        return sorted(found, key=lambda entry: entry["started"])

    def entry(self):
        return self.entries()[-1]

    def checkpoint_folder(self, name, run_id):
        return self.organisations.state_path(name) / "runs" / run_id / "checkpoints"

    def outcome(self, run_id):
        """Weights, history, losses of steps and predictions of a finished run."""
        for name in NAMES:
            if not self.organisations.processes[name].is_running:
                self.organisations.processes[name].launch()
        self.call("predict", "--run", run_id)
        for name in NAMES:
            expect_whole_ledger(self.organisations.state_path(name), run_id)
        history = json.loads((self.organisations.runs_path / run_id / "history.json").read_text())
        kept = {key: history[key] for key in ("history", "epoch", "samples", "params")}
        own = self.organisations.state_path("bob") / "runs" / run_id
        return {
            "weights": {name: self.organisations.weights(name, run_id) for name in NAMES},
            "history": kept,
            "own history": (own / "history.json").read_text(),
            "steps": (own / "steps.csv").read_text(),
            "predictions": (own / "predictions-train.csv").read_bytes(),
        }


def expect_whole_ledger(state, run_id):
    """Whatever was killed when: the chain is whole, and every session of the run has its lines, each once."""
    entries = read_ledger(state)
    lines = [(entry.session, entry.event) for entry in entries if entry.session]
    assert len(set(lines)) == len(lines)
    agreed = {entry.session for entry in entries if entry.event == "agreed" and entry.run_id == run_id}
    assert agreed
    assert agreed <= {entry.session for entry in entries if entry.event == "ended"}


def expect_same(one, other):
    for name, arrays in one["weights"].items():
        assert set(arrays) == set(other["weights"][name])
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, other["weights"][name][key], err_msg=f"{name}: {key}", strict=True)
    for what in ("history", "own history", "steps", "predictions"):
        assert one[what] == other[what], what
