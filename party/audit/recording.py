"""Records what a party receives, as its peers' messages decode to: the material that attacks work on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from party.audit.received_batch import ReceivedBatch
from party.audit.received_file import ReceivedFile
from party.audit.received_header import ReceivedHeader
from party.channel.place import Place
from party.channel.tap import Observer
from party.cut.hidden import FloatArray
from party.errors import StorageError
from party.security.files import private_folder, read_private, write_atomically
from party.security.growing_file import GrowingFile

FOLDER = "received"


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
        """Refuses further batches."""
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
        self._positions, intact = known.scan()
        self._file = GrowingFile(path, intact, where)

    def append(self, batch: ReceivedBatch) -> None:
        """Appends a batch unless its position is there already."""
        if batch.position not in self._positions:
            self._file.append(batch.to_bytes())
            self._positions.add(batch.position)

    def close(self) -> None:
        self._file.close()


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
