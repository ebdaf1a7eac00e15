"""The files of a federation on one machine: data, and the configurations of the parties and the run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coordinator.local_descriptions import (
    COPIED_KEYS,
    DATA,
    DATA_KEYS,
    FRAMES,
    ID,
    JOINS,
    TABLES,
    check_dataset_name,
    check_datasets,
    check_descriptions,
    check_mapping,
    needed_datasets,
)
from coordinator.local_folders import COORDINATOR, LocalFolders, Section, authority_path, tls_section
from coordinator.local_folders import write_configuration as write
from party.errors import ConfigurationError, DataError, StorageError
from party.security.files import FILE_MODE

ANY_PORT = "127.0.0.1:0"
DATASETS = "datasets"


class LocalFiles:
    """Writes the files of every organisation of a federation, and keeps the changes that were made to them.

    Args:
        folders: of the organisations.
        parties: descriptions by name, as `LocalFederation` takes them.
        training: the section `training` of the run's file.
        run: other keys of the run's file.

    Attributes:
        names: of the parties.
        label_party: name of the party with labels.

    Raises:
        ConfigurationError: a description is unusable, there are fewer than two parties, or not exactly one has labels.
        IdentityError: a name cannot be that of a party.
    """

    def __init__(
        self,
        folders: LocalFolders,
        parties: Mapping[str, Mapping[str, Any]],
        training: Mapping[str, Any],
        run: Mapping[str, Any],
    ) -> None:
        self.label_party = check_descriptions(parties)
        check_mapping(training, "training")
        check_mapping(run, "run")
        self.names = tuple(parties)
        self._folders = folders
        self._parties = {name: dict(description) for name, description in parties.items()}
        self._training = dict(training)
        self._run = dict(run)
        self._datasets: dict[str, dict[str, str]] = {name: {} for name in self.names}
        self._party_changes: dict[str, Section] = {name: {} for name in self.names}
        self._training_changes: Section = {}
        self._run_changes: Section = {}

    def check_name(self, name: str) -> None:
        """Raises a ConfigurationError if there is no party of a name."""
        if name not in self.names:
            expected = ", ".join(self.names)
            raise ConfigurationError("there is no such party", where="party", expected=expected, received=repr(name))

    def common_datasets(self) -> list[str]:
        """Returns the datasets that all have but owners of tables; raises an error if one lacks what the run needs."""
        needed = needed_datasets({**self._run, **self._run_changes}, {**self._training, **self._training_changes})
        holders = [name for name in self.names if not self._data_of(name).get(TABLES)]
        return check_datasets({name: list(self._data_of(name).get(DATASETS, ())) for name in holders}, needed)

    def write_all(self) -> None:
        """Writes data and configuration of every party."""
        for name, description in self._parties.items():
            for dataset, frame in {**description.get(FRAMES, {}), **description.get(TABLES, {})}.items():
                self.write_frame(name, dataset, frame)
            self.write_party(name)

    def given_addresses(self) -> dict[str, str]:
        """Returns the addresses of the parties whose description names a port, by party name."""
        listen = {name: str(description.get("listen", ANY_PORT)) for name, description in self._parties.items()}
        return {name: address for name, address in listen.items() if not address.endswith(":0")}

    def write_frame(self, name: str, dataset: str, frame: object) -> Path:
        """Writes a data frame of a party as CSV, or records the path of a file: see `LocalFederation.write_frame`."""
        self.check_name(name)
        key = TABLES if self._parties[name].get(TABLES) else FRAMES
        check_dataset_name(name, key, dataset)
        folder = self._folders.folder(name)
        if isinstance(frame, str | Path):
            path = Path(frame).resolve()
            if not path.exists():
                raise DataError("there is no such file", where=path, fix=f"check {key}.{dataset} of {name}")
        else:
            path = folder / f"{dataset}.csv"
            _write_csv(path, frame, f"{name}: {key}.{dataset}", id_columns=self._id_columns(name))
        self._datasets[name][dataset] = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
        return path

    def write_party(self, name: str, **changes: Any) -> Path:
        """Writes a party's configuration: see `LocalFederation.write_party`."""
        self.check_name(name)
        description = self._parties[name]
        content = {
            "party": name,
            "listen": ANY_PORT,
            "label_party": self.label_party,
            "peers": [{"name": other, "ca": authority_path(other)} for other in self.names if other != name],
            "coordinators": [{"name": COORDINATOR, "ca": authority_path(COORDINATOR)}],
            "tls": tls_section(name),
            "state": "state",
            "data": self._data_section(name),
            "threads": {"intra_operation": 1},  # all parties share the machine
        }
        given = {key: value for key, value in description.items() if key not in DATA_KEYS}
        path = self._folders.party_path(name)
        changed = {**self._party_changes[name], **changes}
        write(path, {**content, **given, **changed})
        self._party_changes[name] = changed
        return path

    def write_run(self, addresses: Mapping[str, str], training: Mapping[str, Any], changes: Mapping[str, Any]) -> Path:
        """Writes the run's configuration: see `LocalFederation.write_run`."""
        missing = [name for name in self.names if name not in addresses]
        if missing:
            what = f"the address of {', '.join(missing)} is not known"
            raise ConfigurationError(what, where="run.yaml", fix="start the parties first")
        check_mapping(training, "training")
        changed_training, changed_run = {**self._training_changes, **training}, {**self._run_changes, **changes}
        parties = [{"name": name, "address": addresses[name], "ca": authority_path(name)} for name in self.names]
        content = {
            "coordinator": COORDINATOR,
            "tls": tls_section(COORDINATOR),
            "label_party": self.label_party,
            "parties": parties,
            "output": "runs",
            "alignment": {"datasets": self.common_datasets()},
        }
        section = {"training": {**self._training, **changed_training}}
        write(self._folders.run_path, {**content, **self._run, **section, **changed_run})
        self._training_changes, self._run_changes = changed_training, changed_run
        return self._folders.run_path

    def _data_section(self, name: str) -> Section:
        description = self._parties[name]
        files = TABLES if description.get(TABLES) else DATASETS
        section: Section = {ID: description.get(ID, "ID"), files: dict(self._datasets[name])}
        if description.get(JOINS) and ID not in description:
            del section[ID]
        section |= {key: description[key] for key in COPIED_KEYS if description.get(key) is not None}
        return {**section, **description.get(DATA, {})}

    def _data_of(self, name: str) -> Mapping[str, Any]:
        """The section `data` as it stands in the party's file."""
        changed = self._party_changes[name].get(DATA)
        return changed if isinstance(changed, Mapping) else self._data_section(name)

    def _id_columns(self, name: str) -> list[str]:
        given = self._data_section(name).get(ID) or []
        return [given] if isinstance(given, str) else list(given)


def _write_csv(path: Path, frame: object, where: str, *, id_columns: list[str]) -> None:
    write_csv = getattr(frame, "to_csv", None)
    if write_csv is None:
        expected = "a data frame, which has to_csv, or the path of a file"
        raise DataError("is not a data frame", where=where, expected=expected, received=type(frame).__name__)
    index_name = getattr(getattr(frame, "index", None), "name", None)
    if index_name in id_columns and index_name not in getattr(frame, "columns", ()):
        what = f"the id column {index_name} is the index, which is not written"
        raise DataError(what, where=where, fix="call reset_index() on the frame")
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "w", newline="", encoding="utf-8") as file:
            write_csv(file, index=False)
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", where=path) from error
