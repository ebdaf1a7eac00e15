"""Event files of a training run for TensorBoard, with what the label party released."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from coordinator.history import History
from coordinator.run_watchers import WatchedEpoch, WatchedSession
from party.monitoring.event_files import EventFile

EVENTS_FOLDER = "tensorboard"
SESSION_BYTES = 8  # of the random name that tells a session's file from those of earlier ones


class RunEvents:
    """Writes metrics, speed and traffic by epoch.

    Args:
        folder: for a folder per run; None for one beside the run's history.
    """

    name = "tensorboard"

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._file: EventFile | None = None

    def begin(self, session: WatchedSession) -> None:
        """Begins a file for the session."""
        self.close()
        own = session.folder / EVENTS_FOLDER if self._folder is None else self._folder / session.run_id
        self._file = EventFile(
            own,
            epochs_before=session.epochs_before,
            session=secrets.token_hex(SESSION_BYTES),
            now_seconds=time.time,
        )

    def epoch(self, epoch: WatchedEpoch) -> None:
        """Adds an epoch."""
        if self._file is not None:
            cost = {"samples_per_second": epoch.samples_per_second, "message_bytes": float(epoch.message_bytes)}
            self._file.add(epoch.number, {**epoch.figures, **cost})

    def end(self, outcome: str, history: History | None) -> None:
        """Closes the file."""
        self.close()

    def close(self) -> None:
        """Closes the file of the session, if there is one."""
        opened, self._file = self._file, None
        if opened is not None:
            opened.close()
