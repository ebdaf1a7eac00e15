"""A party of a federation on one machine: a process that runs `party serve`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

from coordinator.local_guard import STOPPING_SECONDS, start_guard
from party.errors import ERRORS_BY_CODE, ConnectionLostError, SessionError, SplitError
from party.security.files import open_appending

READY_TEXT = " is ready on "
STARTING_SECONDS = 600.0
SHOWN_LOG_LINES = 5
ERROR_PREFIX = "error: "  # of the line that `party serve` prints last when it fails


class LocalParty:
    """Starts, stops and restarts the process of a party.

    Where Linux has pidfds (5.3 and later), the process ends when this Python process ends, even by SIGKILL.

    Args:
        name: of the party.
        configuration: its configuration file.
        log: file to which standard output and standard error are appended.

    Attributes:
        name: of the party.
        command: command line of the process.
        process: the latest process; None before the first start.
    """

    def __init__(self, name: str, configuration: Path, log: Path) -> None:
        self.name = name
        self.command: Sequence[str] = [sys.executable, "-m", "party", "serve", "--config", str(configuration)]
        self.process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._log = log
        self._log_start = 0
        self._address: Future[str] = Future()

    @property
    def is_running(self) -> bool:
        """Whether the latest process is running."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the latest process.

        Raises:
            SessionError: the party was never started.
        """
        if self.process is None:
            raise SessionError("was never started", where=f"party {self.name}", fix="start it first")
        return self.process.pid

    def launch(self) -> None:
        """Starts the process; `await_ready` waits until it answers calls.

        Raises:
            SessionError: the party is running already.
            StorageError: the log cannot be opened.
        """
        if self.is_running:
            raise SessionError("runs already", where=f"party {self.name}", fix="stop it first")
        self._await_guard()
        log = open_appending(self._log)
        self._log_start = self._log.stat().st_size
        self._address = Future()
        try:
            self.process = subprocess.Popen(  # noqa: S603  # this Python, our own module
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                process_group=0,  # an interrupt of a notebook's cell does not reach the parties
            )
        except BaseException:
            os.close(log)
            raise
        self._guard = start_guard(self.process)
        Thread(target=_read_output, args=(self.process, log, self._address), daemon=True).start()

    def await_ready(self, seconds: float = STARTING_SECONDS) -> str:
        """Waits until the process answers calls.

        Args:
            seconds: longest wait.

        Returns:
            Host and port that it listens on.

        Raises:
            SplitError: the process failed to start, with its own error and the end of its log; or it did not answer
                in time.
        """
        try:
            address = self._address.result(seconds)
        except TimeoutError:
            raise self._failure(ConnectionLostError, f"does not answer after {seconds:g} s") from None
        if not address:
            raise self._ended()
        return address

    def kill(self) -> None:
        """Kills the process, like a crash."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._await_guard()

    def terminate(self) -> None:
        """Sends SIGTERM to the process; `await_end` waits for its end."""
        if self.process is not None:
            self.process.terminate()

    def await_end(self) -> bool:
        """Waits until a process ends after SIGTERM, and kills it if that takes too long.

        Returns:
            Whether it ended without being killed.
        """
        if self.process is None:
            return True
        try:
            self.process.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self._await_guard()
        return True

    def _await_guard(self) -> None:
        """Waits for the guard of a process that has ended."""
        guard, self._guard = self._guard, None
        if guard is not None:
            with guard:  # closes the pipe and waits
                pass

    def _ended(self) -> SplitError:
        self.await_end()
        code = None if self.process is None else self.process.returncode
        kind = next((one for one in ERRORS_BY_CODE.values() if one.exit_code == code), ConnectionLostError)
        return self._failure(kind, f"did not start; its log ends with: {self._log_end()}")

    def _failure(self, kind: type[SplitError], what: str) -> SplitError:
        return kind(what, where=f"party {self.name}", fix=f"read {self._log}")

    def _log_end(self) -> str:
        """Returns the last log lines of the latest process; only the error if the last line is one."""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            lines = deque((line.decode(errors="replace").strip() for line in file), maxlen=SHOWN_LOG_LINES)
        if lines and lines[-1].startswith(ERROR_PREFIX):
            return lines[-1].removeprefix(ERROR_PREFIX)
        return " | ".join(lines) or "nothing"


def _read_output(process: subprocess.Popen[bytes], log: int, address: Future[str]) -> None:
    """Copies standard output to the log; sets the address when it is printed, or an empty one if it never is."""
    if process.stdout is not None:
        with process.stdout as output, os.fdopen(log, "wb", buffering=0) as file:
            for line in output:
                file.write(line)
                text = line.decode(errors="replace")
                if READY_TEXT in text and not address.done():
                    address.set_result(text.rpartition(READY_TEXT)[2].strip())
    if not address.done():
        address.set_result("")
