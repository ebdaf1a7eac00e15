"""Event files of a training run for TensorBoard."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from party.errors import StorageError
from party.security.files import FILE_MODE, private_folder

FILE_PREFIX = "events.session"  # readers take files in the order of their names, and a number follows
FILE_VERSION = "brain.Event:2"  # readers drop what precedes a new session from this version on


class EventFile:
    """Writes scalars of a run by epoch; every session of the run has a file of its own in the run's folder.

    It uses the library's synchronous writer: its `SummaryWriter` writes in a thread whose failure nobody learns of.

    Args:
        folder: of the run's event files; created with mode 0700.
        epochs_before: number of epochs that the session begins after: what an earlier session wrote of later ones was
            lost with a crash, and readers drop it.
        session: tells this session's file from those of earlier ones.
        now_seconds: returns the present time in seconds since 1970.

    Raises:
        StorageError: the file cannot be written.
    """

    def __init__(self, folder: Path, *, epochs_before: int, session: str, now_seconds: Callable[[], float]) -> None:
        self._folder = private_folder(folder)
        self._now_seconds = now_seconds
        try:
            number = 1 + len(list(folder.iterdir()))
            self._writer = EventsWriter(str(folder / f"{FILE_PREFIX}-{number:04}"), f".{session}")
            for path in folder.glob(f"{FILE_PREFIX}*.{session}"):
                path.chmod(FILE_MODE)
            begin = SessionLog(status=SessionLog.START)
            self._write(Event(step=epochs_before + 1, file_version=FILE_VERSION))
            self._write(Event(step=epochs_before + 1, session_log=begin))
            self._writer.flush()
        except OSError as error:
            raise self._failure(error) from None

    def add(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """Adds the scalars of an epoch; undefined ones are left out.

        Args:
            epoch: number of the epoch, from 1.
            scalars: by tag.

        Raises:
            StorageError: the file cannot be written.
        """
        values = [Summary.Value(tag=tag, simple_value=one) for tag, one in scalars.items() if math.isfinite(one)]
        try:
            self._write(Event(step=epoch, summary=Summary(value=values)))
            self._writer.flush()
        except OSError as error:
            raise self._failure(error) from None

    def close(self) -> None:
        """Closes the file.

        Raises:
            StorageError: the file cannot be written.
        """
        try:
            self._writer.close()
        except OSError as error:
            raise self._failure(error) from None

    def _write(self, event: Event) -> None:
        event.wall_time = self._now_seconds()
        self._writer.write_event(event)

    def _failure(self, error: OSError) -> StorageError:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        return StorageError(f"cannot be written: {reason}", where=self._folder)
