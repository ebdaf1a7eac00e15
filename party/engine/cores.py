"""The number of processor cores that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CONTAINER_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # "<microseconds of processor time> <of so many>", or "max <...>"


def usable_cores(quota: Path = CONTAINER_QUOTA) -> int:
    """The cores of this process's CPU affinity, at most the CPU quota of its container.

    Args:
        quota: path of the kernel's file with that quota; absent outside of Linux.

    Returns:
        The number of cores, at least 1.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    try:
        share, _, period = quota.read_text().partition(" ")
        cores = min(cores, int(share) // int(period))
    except (OSError, ValueError):  # no container, or no limit
        return cores
    return max(1, cores)
