"""A federation on one machine: one process per party, with certificates, on real sockets."""

from __future__ import annotations

import atexit
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from coordinator.local_files import ANY_PORT, LocalFiles
from coordinator.local_folders import LocalFolders, write_configuration
from coordinator.local_party import LocalParty
from party.configuration.yaml_file import read_yaml
from party.errors import ConnectionLostError
from party.security.clock import utc_now

if TYPE_CHECKING:
    from coordinator.federation import Federation


class LocalFederation:
    """Parties and a coordinator on this machine, to try split training on your data.

    Every party is a separate process that runs `party serve`, and every connection uses mutual TLS. This protects
    nothing: one folder, and one person, has the data and the keys of all organisations.

    ```python
    parties = {
        "alice": {"frames": {"train": users}, "features": [{"column": "age", "kind": "numeric"}]},
        "bob": {
            "frames": {"train": ratings},
            "features": [{"column": "film", "kind": "vocabulary"}],
            "labels": {"liked": {"rule": "rating > 3"}},
        },
    }
    with LocalFederation("trial", parties, training={"epochs": 3}) as local, local.connect() as federation:
        federation.align()
        print(federation.fit().history)
    ```

    The constructor writes the files of all organisations; `start`, or a `with` statement, starts the parties. They end
    with `stop`, at the end of the `with` block, and when this Python process ends; if it is killed, a guard process
    ends them (where Linux has pidfds, from 5.3 on).

    Args:
        folder: root of a folder for each organisation, created with mode 0700 if it does not exist. Certificates,
            alignments and runs in an existing folder are reused.
        parties: descriptions by party name, at least two. `frames` maps names of datasets to data frames (objects with
            `to_csv`, such as those of pandas) or to paths of files; `id` names the column with the sample ids, by
            default `ID`; `features` and, at exactly one party, `labels` are as in `data` of a party's file. A party
            with `tables` in place of `frames` owns tables, to which the label party refers by `joins`; `transforms` and
            `transformed` of their key are as in `data`. Any other
            key is one of the party's file, such as `model`, `fuse` or `policy`, and replaces the default; `data` adds
            to that section.
        training: the section `training` of the run's file.
        run: other keys of the run's file, such as `alignment` or `evaluate_dataset`.

    Attributes:
        names: of the parties.
        label_party: name of the party with `labels`.
        addresses: host and port by party, for each that was started or whose `listen` names a port.
        processes: the processes by party.

    Raises:
        ConfigurationError: there are fewer than two parties, or not exactly one has labels; a description, a name or a
            value cannot be used.
        DataError: a dataset is neither a data frame nor an existing file.
        IdentityError: a name cannot be that of a party.
        StorageError: the folder cannot be written, or others have access to it.
    """

    def __init__(
        self,
        folder: str | Path,
        parties: Mapping[str, Mapping[str, Any]],
        *,
        training: Mapping[str, Any] | None = None,
        run: Mapping[str, Any] | None = None,
    ) -> None:
        self._folders = LocalFolders(Path(folder))
        self._files = LocalFiles(self._folders, parties, training or {}, run or {})
        self.names = self._files.names
        self.label_party = self._files.label_party
        self.addresses = self._files.given_addresses()
        self.processes = {
            name: LocalParty(name, self._folders.party_path(name), self._folders.log_path(name)) for name in self.names
        }
        self._has_run = False
        self._folders.write_certificates(self.names, utc_now())
        self._files.write_all()

    def __enter__(self) -> Self:
        """Starts all parties."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops all parties; an error of the block comes before one of stopping."""
        try:
            self.stop()
        except ConnectionLostError:
            if error is None:
                raise

    @property
    def folder(self) -> Path:
        """The root folder, with a folder for each organisation."""
        return self._folders.root

    @property
    def run_path(self) -> Path:
        """The configuration file of the run, for `connect` and for the command `coordinator`."""
        return self._folders.run_path

    def party_path(self, name: str) -> Path:
        """Returns the configuration file of a party, for the command `party`.

        Args:
            name: of the party.

        Returns:
            The path.
        """
        self._files.check_name(name)
        return self._folders.party_path(name)

    def state_path(self, name: str) -> Path:
        """Returns the state folder of a party: alignments, models, predictions, ledger.

        Args:
            name: of the party.

        Returns:
            The path.
        """
        self._files.check_name(name)
        return self._folders.folder(name) / "state"

    def log_path(self, name: str) -> Path:
        """Returns the log file of a party, to which each of its processes appends.

        Args:
            name: of the party.

        Returns:
            The path; the file exists once the party was started.
        """
        self._files.check_name(name)
        return self._folders.log_path(name)

    def log(self, name: str) -> str:
        """Returns the log of a party.

        Args:
            name: of the party.

        Returns:
            The text, including that of earlier processes.
        """
        path = self.log_path(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, *names: str) -> Self:
        """Starts parties, waits until they answer, and writes their addresses to the run's file.

        Args:
            names: of the parties to start; by default all. Parties that are running already are left alone.

        Returns:
            The federation itself.

        Raises:
            ConfigurationError: there is no such party, or a party lacks a dataset that the run needs.
            SplitError: a party failed to start, with its own error and the end of its log. The parties that this call
                started are stopped.
        """
        for name in names:
            self._files.check_name(name)
        self._files.common_datasets()
        atexit.register(self.stop)  # for notebooks that end without calling stop
        known = dict(self.addresses)
        started = [self.processes[name] for name in names or self.names if not self.processes[name].is_running]
        try:
            for process in started:
                process.launch()
            for process in started:
                self.addresses[process.name] = process.await_ready()
        except BaseException:
            with suppress(ConnectionLostError):  # the first error is the one to report
                _end(started)
            raise
        if set(self.addresses) == set(self.names) and not (self._has_run and known == self.addresses):
            self.write_run()
        return self

    def stop(self) -> None:
        """Stops all parties, and waits until they have ended.

        Raises:
            ConnectionLostError: a party did not end in time and was killed.
        """
        atexit.unregister(self.stop)
        _end(self.processes.values())

    def kill(self, name: str) -> None:
        """Kills a party, like a crash.

        Args:
            name: of the party.
        """
        self._files.check_name(name)
        self.processes[name].kill()

    def restart(self, name: str) -> None:
        """Restarts a party on the same port, with its file as it is now.

        Args:
            name: of the party; if it is running, it is stopped first.

        Raises:
            SplitError: it failed to start; the other parties keep running.
        """
        self._files.check_name(name)
        self.processes[name].terminate()
        self.processes[name].await_end()
        path = self.party_path(name)
        write_configuration(path, {**read_yaml(path), "listen": self.addresses.get(name, ANY_PORT)})
        self.start(name)

    def connect(self, *, without: Collection[str] = ()) -> Federation:
        """Connects to the parties as their coordinator.

        Args:
            without: feature parties that are away; evaluations and predictions have to leave them out.

        Returns:
            The federation, ready to `align`, `fit`, `evaluate` and `predict`; use it in a `with` statement.

        Raises:
            SplitError: the run's file or a party is unusable.
        """
        from coordinator.connecting import connect_federation  # noqa: PLC0415  # loads gRPC only when needed

        return connect_federation(self.run_path, without=without)

    def write_frame(self, name: str, dataset: str, frame: object) -> Path:
        """Writes a dataset of a party, or replaces it.

        The party reads a replaced dataset at the next alignment. For a new name, write it at every party, and for each
        call `write_party` and `restart`; then call `write_run`, `connect` and `align`.

        Args:
            name: of the party.
            dataset: name of the dataset.
            frame: a data frame, written as CSV without its index; or the path of a file, which is not copied.

        Returns:
            The path of the file.

        Raises:
            ConfigurationError: there is no such party, or the dataset cannot have this name.
            DataError: `frame` is neither a data frame nor an existing file, or its index is the id column.
            StorageError: the file cannot be written.
        """
        return self._files.write_frame(name, dataset, frame)

    def write_party(self, name: str, **changes: Any) -> Path:
        """Rewrites a party's file, which the party reads when it starts.

        Changes are kept: later calls add to them.

        Args:
            name: of the party.
            changes: keys of the file to replace; None removes a key.

        Returns:
            The path of the file.

        Raises:
            ConfigurationError: there is no such party, or a value cannot be represented in YAML.
        """
        return self._files.write_party(name, **changes)

    def write_run(
        self,
        training: Mapping[str, Any] | None = None,
        *,
        addresses: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> Path:
        """Rewrites the run's file, for the next `connect`.

        Changes are kept, except `addresses`: later calls add to them, and so does `start`, which writes the file too.

        Args:
            training: keys of the section `training` to replace.
            addresses: host and port by party, where they differ from those that the parties listen on.
            changes: other keys of the file to replace; None removes a key.

        Returns:
            The path of the file.

        Raises:
            ConfigurationError: the address of a party is not known yet, a party lacks a dataset that the run needs, or
                a value cannot be represented in YAML.
        """
        path = self._files.write_run({**self.addresses, **(addresses or {})}, training or {}, changes)
        self._has_run = True
        return path


def _end(processes: Iterable[LocalParty]) -> None:
    """Stops processes, and waits until they have ended; raises an error if one had to be killed."""
    ending = list(processes)
    for process in ending:
        process.terminate()
    killed = [process.name for process in ending if not process.await_end()]
    if killed:
        raise ConnectionLostError("did not end when asked to, and was killed", where=f"party {', '.join(killed)}")
