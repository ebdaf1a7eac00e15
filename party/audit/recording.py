"""Records what a party receives, as its peers' messages decode to: the material that attacks work on."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from party.audit.received_batch import ReceivedBatch
from party.audit.received_file import ReceivedFile
from party.audit.received_header import ReceivedHeader
from party.channel.place import Place
from party.channel.tap import Observer
from party.cut.hidden import FloatArray
from party.errors import SessionError, StorageError
from party.security.files import open_appending, private_folder, read_private, write_atomically

FOLDER = "received"

logger = logging.getLogger(__name__)


class Recording:
    """Appends every received batch to the file of its sender, each position once however often a run is resumed.

    Nothing is held in memory. A killed process loses no batch; if the machine stops, the last ones may be missing.

    Args:
        run_folder: the run's folder.
        party: name of this party, for errors.
        epoch_of: returns the epoch of a position of the session's schedule.
    """

    def __init__(self, run_folder: Path, party: str, epoch_of: Callable[[int], int]) -> None:
        self._folder = run_folder / FOLDER
        self._party = party
        self._epoch_of = epoch_of
        self._writers: list[_Writer] = []

    def note_ids(self, dataset: str, ids: Sequence[str]) -> None:
        """Writes the sample ids in the common order, which row numbers refer to, unless the file exists.

        Args:
            dataset: name of the dataset.
            ids: sample ids in the common order.

        Raises:
            StorageError: the file cannot be written.
        """
        path = ids_path(private_folder(self._folder), dataset)
        if not path.exists():
            write_atomically(path, json.dumps(list(ids)).encode())

    def observer(self, header: ReceivedHeader) -> Observer:
        """Opens the file of a sender.

        Args:
            header: what all its batches have in common.

        Returns:
            The observer of the channel that receives them.

        Raises:
            StorageError: the file cannot be used, or belongs to another model.
        """
        writer = _Writer(private_folder(self._folder) / header.file_name, header, f"{self._party}: {header.file_name}")
        self._writers.append(writer)

        def observe(values: FloatArray, place: Place) -> None:
            epoch = self._epoch_of(place.position)
            writer.append(
                ReceivedBatch(position=place.position, epoch=epoch, trains=place.trains, rows=place.rows, values=values)
            )

        return observe

    def close(self) -> None:
        """Makes everything durable and refuses further batches."""
        for writer in self._writers:
            writer.close()


class _Writer:
    """One file; drops a record that a crash left half written, and skips positions that it has."""

    def __init__(self, path: Path, header: ReceivedHeader, where: str) -> None:
        if not path.exists():
            write_atomically(path, header.to_line())
        known = ReceivedFile(path)
        if known.header != header:
            raise StorageError(
                "holds batches of another model", where=path, public_message="a recording is of another model"
            )
        self._where = where
        self._positions, self._bytes = known.scan()
        # A call of a session that is being ended may still be under way: it must not append once the next one is open.
        self._lock = threading.Lock()
        self._descriptor: int | None = open_appending(path)
        if path.stat().st_size > self._bytes:
            logger.warning("%s: its end is damaged and dropped", where)
            self._truncate(self._descriptor)

    def append(self, batch: ReceivedBatch) -> None:
        """Appends a batch unless its position is there already."""
        with self._lock:
            if self._descriptor is None:
                raise SessionError("the session has ended", where=self._where)
            if batch.position in self._positions:
                return
            record = batch.to_bytes()
            try:
                written = os.write(self._descriptor, record)
            except OSError as error:
                raise self._failure(error) from error
            if written < len(record):
                self._truncate(self._descriptor)
                raise self._failure(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            self._bytes += len(record)
            self._positions.add(batch.position)

    def close(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                try:
                    os.fsync(descriptor)
                except OSError as error:
                    raise self._failure(error) from error
                finally:
                    os.close(descriptor)

    def _truncate(self, descriptor: int) -> None:
        try:
            os.ftruncate(descriptor, self._bytes)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"cannot be written: {error.strerror or type(error).__name__}", where=self._where)


def ids_path(folder: Path, dataset: str) -> Path:
    """Path of the sample ids of a dataset.

    Args:
        folder: the folder `received` of a run.
        dataset: name of the dataset.
    """
    return folder / f"{dataset}.ids.json"


def read_ids(folder: Path, dataset: str) -> list[str]:
    """Sample ids in the common order, which row numbers refer to.

    Args:
        folder: the folder `received` of a run.
        dataset: name of the dataset.

    Raises:
        StorageError: the file cannot be read, or is open to others.
    """
    return [str(one) for one in json.loads(read_private(ids_path(folder, dataset)))]
