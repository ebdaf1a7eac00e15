"""Examines what earlier runs left in the coordinator's output folder."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.doctor.subject import CoordinatorSubject
from coordinator.journal import LEASE_BYTES, LEASE_FILE, is_locked, list_runs
from party.diagnosis.finding import Finding, fine, of_error, problem
from party.errors import StorageError
from party.output.quantities import counted
from party.security.files import read_private

NEW_LEASE = "delete the file: parties that serve this coordinator take it for another one, until it was silent for 60 s"
MOVE_AWAY = "restore the file, or move the folder of the run away: it can then not be resumed or evaluated"


def examine_runs(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks whether the files can be read without which no run begins; changes nothing and waits for nobody.

    Args:
        subject: the coordinator.

    Yields:
        Problems; or one finding that there is none.
    """
    folder = subject.configuration.path(subject.configuration.output)
    if not folder.is_dir():
        yield fine("no run yet", folder)
        return
    lease = folder / LEASE_FILE
    is_damaged = lease.exists() and len(read_private(lease)) != LEASE_BYTES
    if is_damaged:
        yield problem("the lease is damaged", lease, fix=NEW_LEASE)
    try:
        told = counted(len(list_runs(folder)), "run")
    except StorageError as error:
        yield of_error(error, MOVE_AWAY)
        return
    if not is_damaged:
        yield fine(f"{told}; a coordinator works with the folder" if is_locked(folder) else told, folder)
