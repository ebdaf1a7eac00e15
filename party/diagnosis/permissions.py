"""Examines a folder of this process's own state, and changes nothing in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from party.diagnosis.finding import Finding, fine, problem
from party.ownership import OTHERS, exchangeable, looseness


def examine_folder(folder: Path) -> Iterator[Finding]:
    """Looks whether a folder and its files are for their owner alone, and can be written.

    Args:
        folder: made at the first start, if it does not exist.

    Yields:
        Problems; or one finding that there is none.
    """
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        yield problem("cannot be written", existing, fix="give it to the user of this process, or name another folder")
        return
    if existing != folder:
        yield fine("does not exist yet, and can be made", folder)
        return
    above = exchangeable(folder)
    if above is not None:
        yield problem("every user may put another folder in its place", folder, fix=f"run chmod o-w {above}")
    loose = [(path, found) for path, found in _looseness(folder) if found is not None]
    for path, found in loose:
        fix = f"run chmod -R go-rwx {folder}, and chown it if it is another user's"
        yield problem(f"is open to others: {found}", path, fix=fix)
    if above is None and not loose:
        yield fine("is for its owner alone", folder)


def _looseness(folder: Path) -> Iterator[tuple[Path, str | None]]:
    yield folder, looseness(folder.stat(), OTHERS)
    for path in sorted(folder.rglob("*")):
        yield path, looseness(path.lstat(), 0 if path.is_symlink() else OTHERS)
