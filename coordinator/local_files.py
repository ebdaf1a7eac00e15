"""The files of a federation on one machine: data, and the configurations of the parties and the run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coordinator.local_folders import COORDINATOR, LocalFolders, Section, authority_path, tls_section
from coordinator.local_folders import write_configuration as write
from party.errors import ConfigurationError, DataError, StorageError
from party.security.files import FILE_MODE

ANY_PORT = "127.0.0.1:0"
MINIMUM_PARTIES = 2
FRAMES, ID, FEATURES, LABELS, DATA = "frames", "id", "features", "labels", "data"
DATA_KEYS = (FRAMES, ID, FEATURES, LABELS, DATA)  # not top-level keys of a party's file


class LocalFiles:
    """Writes the files of every organisation of a federation.

    Args:
        folders: of the organisations.
        parties: descriptions by name, as `LocalFederation` takes them.
        training: the section `training` of the run's file.
        run: other keys of the run's file.

    Attributes:
        names: of the parties.
        label_party: name of the party with labels.

    Raises:
        ConfigurationError: there are fewer than two parties, or not exactly one has labels.
    """

    def __init__(
        self,
        folders: LocalFolders,
        parties: Mapping[str, Mapping[str, Any]],
        training: Mapping[str, Any],
        run: Mapping[str, Any],
    ) -> None:
        self.names = tuple(parties)
        self.label_party = _label_party(parties)
        self._folders = folders
        self._parties = {name: dict(description) for name, description in parties.items()}
        self._training = dict(training)
        self._run = dict(run)
        self._datasets: dict[str, dict[str, str]] = {name: {} for name in self.names}

    def write_all(self) -> None:
        """Writes data and configuration of every party."""
        for name, description in self._parties.items():
            for dataset, frame in description.get(FRAMES, {}).items():
                self.write_frame(name, dataset, frame)
            self.write_party(name)

    def given_addresses(self) -> dict[str, str]:
        """Returns the addresses of the parties whose description names a port, by party name."""
        listen = {name: str(description.get("listen", ANY_PORT)) for name, description in self._parties.items()}
        return {name: address for name, address in listen.items() if not address.endswith(":0")}

    def write_frame(self, name: str, dataset: str, frame: object) -> Path:
        """Writes a data frame of a party as CSV, or records the path of a file: see `LocalFederation.write_frame`."""
        folder = self._folders.folder(name)
        if isinstance(frame, str | Path):
            path = Path(frame).resolve()
            if not path.is_file():
                raise DataError("there is no such file", where=path, fix=f"check frames.{dataset} of {name}")
        else:
            path = folder / f"{dataset}.csv"
            _write_csv(path, frame, f"{name}: frames.{dataset}")
        self._datasets[name][dataset] = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
        return path

    def write_party(self, name: str, **changes: Any) -> Path:
        """Writes a party's configuration: see `LocalFederation.write_party`."""
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
        write(path, {**content, **given, **changes})
        return path

    def write_run(self, addresses: Mapping[str, str], training: Mapping[str, Any], changes: Mapping[str, Any]) -> Path:
        """Writes the run's configuration: see `LocalFederation.write_run`."""
        missing = [name for name in self.names if name not in addresses]
        if missing:
            what = f"the address of {', '.join(missing)} is not known"
            raise ConfigurationError(what, where="run.yaml", fix="start the parties first")
        parties = [{"name": name, "address": addresses[name], "ca": authority_path(name)} for name in self.names]
        common = set.intersection(*(set(self._datasets[name]) for name in self.names))
        content = {
            "coordinator": COORDINATOR,
            "tls": tls_section(COORDINATOR),
            "label_party": self.label_party,
            "parties": parties,
            "output": "runs",
            "alignment": {"datasets": sorted(common)},
        }
        changed = {"training": {**self._training, **training}}
        write(self._folders.run_path, {**content, **self._run, **changed, **changes})
        return self._folders.run_path

    def _data_section(self, name: str) -> Section:
        description = self._parties[name]
        section: Section = {"id": description.get(ID, "ID"), "datasets": dict(self._datasets[name])}
        section |= {key: description[key] for key in (FEATURES, LABELS) if description.get(key) is not None}
        return {**section, **description.get(DATA, {})}


def _label_party(parties: Mapping[str, Mapping[str, Any]]) -> str:
    holders = [name for name, description in parties.items() if description.get(LABELS)]
    if len(parties) < MINIMUM_PARTIES or len(holders) != 1:
        raise ConfigurationError(
            "cannot be a federation",
            where="parties",
            expected="at least two parties, exactly one of them with labels",
            received=f"{len(parties)} parties, labels at {', '.join(holders) or 'none'}",
        )
    return holders[0]


def _write_csv(path: Path, frame: object, where: str) -> None:
    write_csv = getattr(frame, "to_csv", None)
    if write_csv is None:
        expected = "a data frame, which has to_csv, or the path of a file"
        raise DataError("is no data frame", where=where, expected=expected, received=type(frame).__name__)
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "w", newline="", encoding="utf-8") as file:
            write_csv(file, index=False)
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", where=path) from error
