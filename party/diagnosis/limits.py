"""Examines what the system allows this process: open files, memory, disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from party.diagnosis.finding import Finding, fine, problem, warning
from party.diagnosis.machine import Machine
from party.output.quantities import bytes_text

ENOUGH_FOR_COMFORT = 2  # times what is needed


def examine_open_files(machine: Machine, needed: int) -> Iterator[Finding]:
    """Looks whether enough files and connections may be open at the same time.

    Args:
        machine: readings of the machine.
        needed: how many this process may need.

    Yields:
        One finding.
    """
    if 0 <= machine.open_files < needed:
        yield problem(
            f"only {machine.open_files:,} files and connections may be open, and {needed:,} may be needed",
            fix=f"raise the hard limit: LimitNOFILE={needed} under systemd, --ulimit nofile={needed} for a container",
        )
    else:
        allowed = "any number of" if machine.open_files < 0 else f"{machine.open_files:,}"
        yield fine(f"{allowed} files and connections may be open")


def examine_memory(machine: Machine, needed_bytes: int) -> Iterator[Finding]:
    """Looks whether enough memory is left.

    Args:
        machine: readings of the machine.
        needed_bytes: an estimate of what this process will take.

    Yields:
        One finding.
    """
    available = machine.available_memory_bytes
    if available is None:
        yield fine("the memory of this system cannot be read")
        return
    yield _compared("memory", available, needed_bytes, fix="end other processes, or raise the memory of the machine")


def examine_disk(machine: Machine, folder: Path, needed_bytes: int) -> Iterator[Finding]:
    """Looks whether enough space is left for what is written to a folder.

    Args:
        machine: readings of the machine.
        folder: need not exist.
        needed_bytes: an estimate of what will be written.

    Yields:
        One finding.
    """
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    fix = "free space there, or name a folder on another disk"
    yield _compared("space on the disk", machine.free_bytes(existing), needed_bytes, where=folder, fix=fix)


def _compared(what: str, available: int, needed: int, *, where: object = "", fix: str) -> Finding:
    told = f"{bytes_text(available)} of {what} are left, and about {bytes_text(needed)} may be needed"
    if available < needed:
        return problem(told, where, fix=fix)
    if available < ENOUGH_FOR_COMFORT * needed:
        return warning(told, where, fix=fix)
    return fine(told, where)
