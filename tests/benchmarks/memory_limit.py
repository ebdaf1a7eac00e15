"""A limit of memory that the kernel holds a process to: a control group of Linux, which needs root."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
INTO_THE_GROUP = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


@dataclass(frozen=True)
class MemoryLimit:
    """A control group with a limit, for one process and its children.

    Args:
        folder: of the group.
        peak: file with the most bytes that were held; pages of files count until the kernel drops them.
        kills: file and name of the count of processes that the kernel killed.
    """

    folder: Path
    peak: str
    kills: tuple[str, str]

    def command(self, command: Sequence[str]) -> list[str]:
        """The command line of a process that enters the group before it runs the given one."""
        return ["sh", "-c", INTO_THE_GROUP, str(self.folder), *command]

    def most_bytes(self) -> int:
        """The most bytes that were held at once; pages of files count until the kernel drops them."""
        return int((self.folder / self.peak).read_text())

    def killed(self) -> int:
        """Number of processes that the kernel killed as they needed more."""
        file, name = self.kills
        words = (self.folder / file).read_text().split()
        return int(words[words.index(name) + 1])


@contextmanager
def limited_memory(name: str, limit_bytes: int) -> Iterator[MemoryLimit]:
    """Makes a control group, version 2 or 1, and removes it when its processes have ended.

    Args:
        name: of the group.
        limit_bytes: what its processes may hold together, swap included.
    """
    second = (ROOT / "cgroup.controllers").exists()
    folder = (ROOT if second else ROOT / "memory") / name
    limits = {"memory.max": limit_bytes, "memory.swap.max": 0} if second else {"memory.limit_in_bytes": limit_bytes}
    try:
        folder.mkdir()
        for file, value in limits.items():
            (folder / file).write_text(str(value))
    except OSError as error:
        sys.exit(f"a control group needs root on Linux: {error.strerror}")
    try:
        if second:
            yield MemoryLimit(folder, "memory.peak", ("memory.events", "oom_kill"))
        else:
            yield MemoryLimit(folder, "memory.max_usage_in_bytes", ("memory.oom_control", "oom_kill"))
    finally:
        folder.rmdir()
