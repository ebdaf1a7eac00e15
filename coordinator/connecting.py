"""Connections to the parties of a run's file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.federation import Federation
from coordinator.progress import Display, SilentDisplay


def connect_federation(
    path: Path, display: Callable[[], Display] = SilentDisplay, *, without: Collection[str] = ()
) -> Federation:
    """Connects to the parties of a run configuration.

    Args:
        path: the YAML file.
        display: creates the display for progress; by default nothing is shown.
        without: feature parties that are away, to which nothing connects.

    Returns:
        The federation, connected to every other party.

    Raises:
        SplitError: the file, a certificate or a party is unusable.
    """
    return Federation(load_coordinator_configuration(path), display, without=without)
