"""What follows a training run epoch by epoch: event files, MLflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from coordinator.history import History
from party.configuration.run import RunConfiguration
from party.errors import SplitError


@dataclass(frozen=True, kw_only=True)
class WatchedSession:
    """A session of a run, as it begins.

    Attributes:
        run_id: of the run, hexadecimal.
        run: the run configuration.
        folder: of the run, in the coordinator's output folder.
        continues: run_id of the finished run whose weights it began with, hexadecimal; empty without one.
        epochs_before: number of epochs that ended before the session.
    """

    run_id: str
    run: RunConfiguration
    folder: Path
    continues: str
    epochs_before: int


@dataclass(frozen=True, kw_only=True)
class WatchedEpoch:
    """An epoch that ended.

    Attributes:
        number: from 1.
        figures: by name, as in the history: the metrics as the label party released them.
        samples_per_second: training rows per second since the session began or, after its first, since epochs
            were last reported; epochs that are reported together share it.
        message_bytes: bytes of all messages between parties since the run began.
    """

    number: int
    figures: Mapping[str, float]
    samples_per_second: float
    message_bytes: int


class RunWatcher(Protocol):
    """Follows one training run."""

    name: str

    def begin(self, session: WatchedSession) -> None:
        """A session of the run has begun."""

    def epoch(self, epoch: WatchedEpoch) -> None:
        """An epoch has ended."""

    def end(self, outcome: str, history: History | None) -> None:
        """The run has ended here: `trained`, `stopped` or `failed`; with a history only if it is trained."""


class RunWatchers:
    """Tells watchers about a run. One that fails is told no more: whatever fails there ends no run.

    Args:
        watchers: of the run.
        notify: called with a text about a watcher that failed.
    """

    def __init__(self, watchers: Sequence[RunWatcher], notify: Callable[[str], None]) -> None:
        self._watchers = list(watchers)
        self._notify = notify

    def begin(self, session: WatchedSession) -> None:
        """A session of the run has begun."""
        self._tell(lambda watcher: watcher.begin(session))

    def epoch(self, epoch: WatchedEpoch) -> None:
        """An epoch has ended."""
        self._tell(lambda watcher: watcher.epoch(epoch))

    def end(self, outcome: str, history: History | None) -> None:
        """The run has ended here.

        Args:
            outcome: `trained`, `stopped` or `failed`.
            history: of a run that is trained.
        """
        self._tell(lambda watcher: watcher.end(outcome, history))

    def _tell(self, call: Callable[[RunWatcher], None]) -> None:
        for watcher in list(self._watchers):
            try:
                call(watcher)
            except Exception as error:
                self._watchers.remove(watcher)
                # The text of another library's error may hold the address of a server, with its password.
                reason = str(error) if isinstance(error, SplitError) else type(error).__name__
                self._notify(f"{watcher.name}: nothing more is written of this run: {reason}")
