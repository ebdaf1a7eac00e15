"""`party reload`: makes the process that serves read its configuration again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from party.configuration.party import load_party_configuration
from party.errors import ConfigurationError, SessionError
from party.runtime.serving_file import Serving, configuration_sha256, read_serving

LOOK_SECONDS = 0.05
ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Reloaded:
    """What reading the configuration again changed.

    Attributes:
        party: name of the party.
        changes: in words; empty if nothing changed.
    """

    party: str
    changes: str

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields one line."""
        yield f"party {self.party}: {self.changes or 'nothing changed'}"


def reload_party(path: Path) -> Reloaded:
    """Checks the configuration, signals the process that serves, and waits for its answer.

    Args:
        path: the party's YAML file.

    Returns:
        What changed.

    Raises:
        ConfigurationError: the file is wrong, or holds changes that need a restart; nothing has changed.
        SessionError: no process serves, or it does not answer.
    """
    configuration = load_party_configuration(path)
    state = configuration.path(configuration.state)
    wanted = configuration_sha256(path, configuration.authority_files)
    before = _serving(state)
    if before.configuration_sha256 == wanted and not before.outcome:
        return Reloaded(configuration.party, "")
    os.kill(before.pid, signal.SIGHUP)
    deadline_seconds = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline_seconds:
        after = read_serving(state)
        if after is not None and after != before and after.configuration_sha256 == wanted:
            if after.outcome:
                raise ConfigurationError(after.outcome)
            return Reloaded(configuration.party, after.changes)
        time.sleep(LOOK_SECONDS)
    raise SessionError("does not answer", where=f"party {configuration.party}", fix="look at its log")


def _serving(state: Path) -> Serving:
    deadline_seconds = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline_seconds:
        serving = read_serving(state)
        if serving is not None:
            return serving
        time.sleep(LOOK_SECONDS)
    raise SessionError("is still starting", where=state.name, fix="try again")
