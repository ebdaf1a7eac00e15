"""Records what a party receives, and what it sends, as the messages decode to: the material that attacks work on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from party.audit.received_batch import ReceivedBatch
from party.audit.received_file import ReceivedFile
from party.audit.received_header import ReceivedHeader
from party.audit.report.audited_run import RunConditions
from party.channel.place import Place
from party.channel.tap import Observer
from party.cut.hidden import FloatArray
from party.errors import StorageError
from party.security.files import private_folder, read_private, write_atomically
from party.security.growing_file import GrowingFile

FOLDER = "received"
SENT_FOLDER = "sent"


class Recording:
    """Appends every batch to the file of its peer, each position once however often a run is resumed.

    Nothing is held in memory. A killed process loses no batch; if the machine stops, the last ones may be missing.

    Args:
        run_folder: the run's folder.
        party: name of this party, for errors.
        epoch_of: returns the epoch of a position of the session's schedule.
        sends: whether it records what this party sends, in place of what it receives.
    """

    def __init__(self, run_folder: Path, party: str, epoch_of: Callable[[int], int], *, sends: bool = False) -> None:
        self._folder = run_folder / (SENT_FOLDER if sends else FOLDER)
        self._sends = sends
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

    def note_conditions(self, conditions: RunConditions) -> None:
        """Writes what an audit has to know of the run, unless the file exists.

        Args:
            conditions: the run as it began.

        Raises:
            StorageError: the file cannot be written.
        """
        path = conditions_path(private_folder(self._folder))
        if not path.exists():
            write_atomically(path, conditions.model_dump_json(indent=2).encode())

    def observer(self, header: ReceivedHeader) -> Observer:
        """Opens the file of a peer.

        Args:
            header: what all its batches have in common.

        Returns:
            The observer of the channel that carries them.

        Raises:
            StorageError: the file cannot be used, or belongs to another model.
        """
        name = header.sent_file_name if self._sends else header.file_name
        writer = _Writer(private_folder(self._folder) / name, header, f"{self._party}: {name}")
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


def conditions_path(folder: Path) -> Path:
    """Path of what an audit has to know of the run.

    Args:
        folder: the folder `sent` of a run.
    """
    return folder / "run.json"


def read_conditions(folder: Path) -> RunConditions:
    """The run as it was when its recording began.

    Args:
        folder: the folder `sent` of a run.

    Raises:
        StorageError: the file cannot be read, is damaged, or is open to others.
    """
    path = conditions_path(folder)
    try:
        return RunConditions.model_validate_json(read_private(path))
    except ValidationError:
        raise StorageError("is damaged", where=path, fix="train again, to have a recording to audit") from None


def ids_path(folder: Path, dataset: str) -> Path:
    """Path of the sample ids of a dataset.

    Args:
        folder: the folder `received` or `sent` of a run.
        dataset: name of the dataset.
    """
    return folder / f"{dataset}.ids.json"


def read_ids(folder: Path, dataset: str) -> list[str]:
    """Sample ids in the common order, which row numbers refer to.

    Args:
        folder: the folder `received` or `sent` of a run.
        dataset: name of the dataset.

    Raises:
        StorageError: the file cannot be read, or is open to others.
    """
    return [str(one) for one in json.loads(read_private(ids_path(folder, dataset)))]
