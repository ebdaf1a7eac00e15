"""Watchers of a run: one that fails ends neither the run nor what others write."""

import sys
from pathlib import Path

import pytest

from coordinator.configuration import CoordinatorConfiguration
from coordinator.mlflow_runs import LONGEST_PARAMETER_CHARACTERS, parameters
from coordinator.run_watch import RunWatch
from coordinator.run_watchers import RunWatchers, WatchedEpoch
from party.configuration.run import RunConfiguration
from party.errors import InstallationError, StorageError

EPOCH = WatchedEpoch(number=1, figures={"loss": 0.5}, samples_per_second=1.0, message_bytes=1)


class Watcher:
    def __init__(self, name, error=None):
        self.name, self.error, self.seen = name, error, []

    def begin(self, session):
        self.seen.append("begin")

    def epoch(self, epoch):
        self.seen.append(epoch.number)
        if self.error is not None:
            raise self.error

    def end(self, outcome, history):
        self.seen.append(outcome)


def test_a_watcher_that_fails_is_told_no_more_and_named_once():
    failing, other, lines = Watcher("mlflow", ValueError("https://user:secret@example.com")), Watcher("other"), []
    watchers = RunWatchers([failing, other], lines.append)
    watchers.begin(None)
    watchers.epoch(EPOCH)
    watchers.epoch(EPOCH)
    watchers.end("trained", None)
    assert failing.seen == ["begin", 1]
    assert other.seen == ["begin", 1, 1, "trained"]
    assert lines == ["mlflow: nothing more is written of this run: ValueError"]


def test_an_error_of_this_project_says_what_to_do():
    lines = []
    failing = Watcher("tensorboard", StorageError("cannot be written: No space left on device", where=Path("runs")))
    RunWatchers([failing], lines.append).epoch(EPOCH)
    assert lines == [
        "tensorboard: nothing more is written of this run: runs: cannot be written: No space left on device"
    ]


@pytest.mark.parametrize(
    ("library", "key", "option"),
    [
        ("prometheus_client", "prometheus", {"listen": "127.0.0.1:0"}),
        ("tensorboardX", "tensorboard", True),
        ("mlflow", "mlflow", {"tracking_uri": "https://mlflow.example.com"}),
    ],
)
def test_an_option_without_its_library_is_refused_before_a_run(monkeypatch, library, key, option):
    parties = [{"name": name, "address": f"{name}:1", "ca": "ca.pem"} for name in ("alice", "bob")]
    described = {"coordinator": "driver", "insecure": True, "parties": parties, "label_party": "bob", key: option}
    watch = RunWatch(CoordinatorConfiguration.model_validate(described), dict, lambda text: None)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InstallationError, match=rf"{key}: .*splitrain\[{key}\]"), watch.opened():
        pass


def test_parameters_are_flat_and_short():
    found = parameters(RunConfiguration(parties=("alice", "bob"), label_party="bob"))
    assert found["training.batch_size"] == "128"
    assert found["label_party"] == "bob"
    assert found["parties"] == '["alice", "bob"]'
    assert found["training.early_stopping"] == "null"
    many = RunConfiguration(parties=("bob", *(f"party{number:02d}" for number in range(60))), label_party="bob")
    assert max(map(len, parameters(many).values())) == LONGEST_PARAMETER_CHARACTERS
