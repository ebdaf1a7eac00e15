"""How many processor cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CONTAINER_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # "<microseconds of processor time> <of so many>", or "max <...>"


def usable_cores(quota: Path = CONTAINER_QUOTA) -> int:
    """Cores that this process is allowed on, and no more than its container's share of processor time is worth.

    Args:
        quota: the kernel's file of that share; absent outside of Linux.

    Returns:
        At least 1.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    try:
        share, _, period = quota.read_text().partition(" ")
        cores = min(cores, int(share) // int(period))
    except (OSError, ValueError):  # no container, or no limit
        return cores
    return max(1, cores)
