"""What a doctor reads of its machine; a test gives other readings."""

from __future__ import annotations

import locale
import os
import resource
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from party.security.clock import utc_now

MEMORY = Path("/proc/meminfo")
MEMORY_LINE = "MemAvailable:"
KIBIBYTE = 1024
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
CONTAINER_USE = Path("/sys/fs/cgroup/memory.current")
PROCESSOR = Path("/proc/cpuinfo")
PROCESSOR_LINE = "flags"


def available_memory(
    memory: Path = MEMORY, container_limit: Path = CONTAINER_LIMIT, container_use: Path = CONTAINER_USE
) -> int | None:
    """The memory that a new process may take, in bytes.

    Args:
        memory: the kernel's file about memory.
        container_limit: the kernel's file with the limit of the container.
        container_use: the kernel's file with what the container uses.

    Returns:
        The smaller of what the machine and the container have left; None outside of Linux.
    """
    left = [_machine_memory(memory), _container_memory(container_limit, container_use)]
    return min((one for one in left if one is not None), default=None)


def processor_features(path: Path = PROCESSOR) -> frozenset[str]:
    """The instruction sets of the processor, in lower case.

    Args:
        path: the kernel's description of the processors.

    Returns:
        Their names; empty if they are not known.
    """
    for line in _lines(path):
        if line.startswith(PROCESSOR_LINE):
            return frozenset(line.partition(":")[2].lower().split())
    return frozenset()


def _machine_memory(path: Path) -> int | None:
    for line in _lines(path):
        if line.startswith(MEMORY_LINE):
            return int(line.split()[1]) * KIBIBYTE
    return None


def _container_memory(limit: Path, use: Path) -> int | None:
    try:
        return max(0, int(limit.read_text()) - int(use.read_text()))
    except (OSError, ValueError):  # no container, or no limit
        return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Readings of a machine.

    Attributes:
        now: the current time, with a time zone.
        environment: variables of this process.
        free_bytes: returns the free space of the disk that a folder is on.
        available_memory_bytes: memory that a new process may take; None if it is not known.
        open_files: largest number of files and connections that a process may have open; -1 if any.
        encodings: names of the encodings of file names and of what is printed.
        processor_features: instruction sets of the processor, in lower case; empty if they are not known.
        wait_seconds: longest wait for an answer from the network.
    """

    now: datetime = field(default_factory=utc_now)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    free_bytes: Callable[[Path], int] = field(default=lambda folder: shutil.disk_usage(folder).free)
    available_memory_bytes: int | None = field(default_factory=available_memory)
    open_files: int = field(default_factory=lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    encodings: tuple[str, ...] = field(default_factory=lambda: (sys.getfilesystemencoding(), locale.getencoding()))
    processor_features: frozenset[str] = field(default_factory=processor_features)
    wait_seconds: float = 5.0
