"""The file of a run with what its meters read: a line of JSON for each reading, at the party alone."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from party.errors import StorageError
from party.security.files import open_appending, read_private, write_atomically

METERS_FILE = "meters.jsonl"
STEP, ENDED = "step", "ended"
Line = Mapping[str, object]

logger = logging.getLogger(__name__)


class MeterFile:
    """Appends lines to the file of one run.

    A run that resumes goes on after the line of its last step, so it ends with the lines of one that never stopped.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / METERS_FILE
        self._descriptor: int | None = None

    def begin(self, last_step: int) -> list[float]:
        """Drops the lines after a step, but for those that ended a session.

        Args:
            last_step: the last step that the meters go on from; -1 at the beginning.

        Returns:
            The readings that ended a session of this run.

        Raises:
            StorageError: the file cannot be read or written.
        """
        if not self._path.exists():
            return []
        lines = [line for line in map(_parsed, read_private(self._path).splitlines()) if line is not None]
        kept = [line for line in lines if ENDED in line or _step(line) <= last_step]
        write_atomically(self._path, b"".join(map(_encoded, kept)))
        return [value for line in kept if isinstance(value := line.get(ENDED), float)]

    def append(self, line: Line) -> None:
        """Appends a line; where that fails, training goes on and the log says so.

        Args:
            line: values that JSON can hold.
        """
        try:
            if self._descriptor is None:
                self._descriptor = open_appending(self._path)
            os.write(self._descriptor, _encoded(line))
        except (OSError, StorageError) as error:
            logger.warning("%s lacks a line: %s", METERS_FILE, type(error).__name__)

    def close(self) -> None:
        """Closes the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _parsed(content: bytes) -> Line | None:
    """A line; None where a killed process left it incomplete."""
    try:
        line = json.loads(content)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _encoded(line: Line) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _step(line: Line) -> int:
    step = line.get(STEP)
    return step if isinstance(step, int) else -1
