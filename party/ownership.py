"""The owner of a file or folder, and what others may do with it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

ROOT = 0
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def looseness(status: os.stat_result, refused: int) -> str | None:
    """Describes what is wrong with an owner or a mode.

    Root may own what this process relies on: it can read and change everything anyway. Any other owner than the user of
    this process could change the mode back at any time.

    Args:
        status: status of the file or folder.
        refused: bits of the mode that must not be set.

    Returns:
        The description; None if nothing is wrong.
    """
    if status.st_uid not in (os.geteuid(), ROOT):
        return f"owned by another user ({status.st_uid})"
    return loose_mode(status, refused)


def loose_mode(status: os.stat_result, refused: int) -> str | None:
    """Describes what is wrong with a mode, whoever the owner is.

    Args:
        status: status of the file or folder.
        refused: bits of the mode that must not be set.

    Returns:
        The mode; None if nothing is wrong.
    """
    return f"mode {stat.S_IMODE(status.st_mode):04o}" if status.st_mode & refused else None


def exchangeable(path: Path) -> Path | None:
    """Finds the folder above a path in which every user may replace the path by another one.

    Args:
        path: path of a file or folder, which need not exist.

    Returns:
        The nearest folder above it, links resolved, that everybody may write without the sticky bit; None if there is
        none.
    """
    for folder in path.resolve().parents:
        if folder.exists():
            mode = folder.stat().st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                return folder
    return None
