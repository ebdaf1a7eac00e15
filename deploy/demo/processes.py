"""Real `party serve` processes for the demonstration and the benchmark."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.demo.configurations import PARTIES, party_file
from party.errors import ConnectionLostError

READY_TEXT = "is ready on"
STOP_SECONDS = 30.0


class PartyProcesses:
    """Parties that serve from configuration files, until the `with` statement ends.

    Args:
        folder: with a folder per organisation; each party's log goes there.
        names: of the parties.
    """

    def __init__(self, folder: Path, names: tuple[str, ...] = PARTIES) -> None:
        self._folder = folder
        self._names = names
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.addresses: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Starts all parties and waits until they answer calls."""
        try:
            for name in self._names:
                self._start(name)
            for name in self._names:
                self.addresses[name] = self._await_address(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops all parties."""
        self.stop()

    def log(self, name: str) -> Path:
        """The file that a party logs to."""
        return self._folder / name / f"{name}.log"

    def stop(self) -> None:
        """Asks all parties to end and waits for them."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(timeout=STOP_SECONDS)

    def _start(self, name: str) -> None:
        with self.log(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603  # this Python, our own module
                [sys.executable, "-m", "party", "serve", "--config", str(party_file(self._folder, name))],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def _await_address(self, name: str) -> str:
        output = self.processes[name].stdout
        line = output.readline() if output is not None else ""
        if READY_TEXT not in line:
            raise ConnectionLostError("did not start", where=f"party {name}", fix=f"see {self.log(name)}")
        return line.rpartition(READY_TEXT)[2].strip()
