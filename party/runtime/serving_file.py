"""Records which process serves a state folder: only one may, so that records have one writer."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from party.errors import SessionError, StorageError
from party.security.files import FILE_MODE, private_folder

SERVING_FILE = "serving.json"


@dataclass(frozen=True)
class Serving:
    """The status of a serving process.

    Attributes:
        pid: id of the process.
        configuration_sha256: SHA-256 of the file as it was read last, hexadecimal.
        outcome: outcome of reading it; empty if it is in force, otherwise the reason why not.
        changes: changes that reading it again has made.
    """

    pid: int
    configuration_sha256: str
    outcome: str = ""
    changes: str = ""


class ServingFile:
    """A locked file that the serving process holds for as long as it lives.

    Args:
        state: the party's state folder.

    Raises:
        StorageError: another process serves with this folder.
    """

    def __init__(self, state: Path) -> None:
        self._path = private_folder(state) / SERVING_FILE
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise StorageError(
                "is in use by another process", where="state folder", fix="stop the other `party serve`"
            ) from None
        self._path.write_bytes(b"")  # the status of a former process is obsolete

    def state(self, serving: Serving) -> None:
        """Writes the status of this process."""
        # In place: a new file of this name would not be the one that is locked.
        self._path.write_bytes(json.dumps(asdict(serving)).encode())

    def close(self) -> None:
        """Releases the lock, so that another process may serve."""
        with suppress(OSError):
            os.close(self._descriptor)


def read_serving(state: Path) -> Serving | None:
    """Reads the status of the process that serves a state folder; None while it is being written.

    Args:
        state: the party's state folder.

    Raises:
        SessionError: no process serves.
    """
    nobody = SessionError("no party serves with this configuration", where=state.name, fix="start `party serve`")
    try:
        descriptor = os.open(state / SERVING_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise nobody from None
    with os.fdopen(descriptor, "rb") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            with suppress(ValueError, TypeError):
                return Serving(**json.loads(file.read()))
            return None
    raise nobody


def configuration_sha256(path: Path, authorities: Iterable[Path]) -> str:
    """Digest of the present configuration file and of the authorities' files that it names, hexadecimal.

    Args:
        path: the party's YAML file.
        authorities: files of `ca`, in the order of the configuration; a file that cannot be read counts as empty.
    """
    digest = hashlib.sha256()
    for one in (path, *authorities):
        try:
            content = one.read_bytes()
        except OSError:
            content = b""
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
