"""Processor time that processes took, as the kernel counts it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
USER, SYSTEM = 11, 12  # fields of /proc/<process>/stat behind the name


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[USER]) + int(fields[SYSTEM])) / TICKS_PER_SECOND


class ProcessorTime:
    """Adds up what some processes take while it runs.

    Args:
        processes: their numbers, by name.
    """

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = dict(processes)
        self._started = self._now()
        self.seconds = dict.fromkeys(processes, 0.0)

    def start(self) -> None:
        self._started = self._now()

    def stop(self) -> None:
        for name, now in self._now().items():
            self.seconds[name] += now - self._started[name]

    def _now(self) -> dict[str, float]:
        return {name: processor_seconds(process) for name, process in self._processes.items()}
