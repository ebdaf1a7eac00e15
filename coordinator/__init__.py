"""Drives the parties of a run; holds no data, no labels, no keys of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.federation import Federation

__all__ = ["connect"]


def connect(path: str) -> Federation:
    """Connects to the parties of a run configuration.

    Args:
        path: the YAML file.

    Returns:
        The parties, ready to `align`, `fit`, `evaluate` and `predict`; use it in a `with` statement.

    Raises:
        SplitError: the file, a certificate or a party cannot be used.
    """
    from pathlib import Path  # noqa: PLC0415

    from coordinator.federation import connect_federation  # noqa: PLC0415

    return connect_federation(Path(path))
