"""The label party's own event files of a run for TensorBoard: its exact metrics by epoch."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from party.errors import StorageError
from party.protocol.epoch_books import EpochMetrics
from party.runtime.own_figures import by_name
from party.runtime.proposal import Opening

if TYPE_CHECKING:
    from party.monitoring.event_files import EventFile

EVENTS_FOLDER = "tensorboard"
SESSION_BYTES = 8  # of the random name that tells a session's file from those of earlier ones

logger = logging.getLogger(__name__)


class OwnEvents:
    """Writes the metrics of each epoch as it ends. An event file that cannot be written ends no run.

    Args:
        opening: the granted proposal of the session.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._is_on = opening.context.configuration.tensorboard
        self._file: EventFile | None = None

    def add(self, epoch: EpochMetrics) -> None:
        """Adds an epoch; does nothing unless the owner asks for event files."""
        if not self._is_on:
            return
        try:
            if self._file is None:
                self._file = self._open(epoch.epoch)
            self._file.add(epoch.epoch + 1, by_name(epoch))
        except StorageError as error:
            self._give_up(error)

    def close(self) -> None:
        """Closes the file."""
        opened, self._file = self._file, None
        if opened is not None:
            try:
                opened.close()
            except StorageError as error:
                self._give_up(error)

    def _open(self, epochs_before: int) -> EventFile:
        from party.monitoring.event_files import EventFile  # noqa: PLC0415  # the library is an option

        context = self._opening.context
        return EventFile(
            self._opening.folder / EVENTS_FOLDER,
            epochs_before=epochs_before,
            session=context.random_bytes(SESSION_BYTES).hex(),
            now_seconds=lambda: context.now().timestamp(),
        )

    def _give_up(self, error: StorageError) -> None:
        self._is_on = False
        logger.warning("no more events are written for TensorBoard in this session: %s", error)
