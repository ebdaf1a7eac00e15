"""Whether a data file can be opened, with the whole path for its owner."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from party.errors import DataError

RELATIVE = "paths are relative to the folder of the configuration file, and ~ is the home folder"


def check_readable(party: str, path: Path, key: str) -> None:
    """Refuses a file that is not there or cannot be opened; its owner is shown the path that was tried.

    Args:
        party: name of this party.
        path: absolute.
        key: key of the configuration that names it.

    Raises:
        DataError: there is no such file, it is a folder or a device, or this process may not read it.
    """
    what = _fault(path)
    if what:
        kind, _, name = key.removeprefix("data.").partition(".")
        raise DataError(
            what,
            where=f"{party}: {path.name}",
            expected=f"a CSV or Parquet file at {path}",
            path=path,
            fix=f"check {key}: {RELATIVE}",
            public_message=f"the file of {kind.removesuffix('s')} {name} cannot be read",
        )


def _fault(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "file not found"
    except OSError as error:
        return f"cannot be read ({error.__class__.__name__})"
    if stat.S_ISDIR(mode):
        return "is a folder"
    if not stat.S_ISREG(mode):
        return "is no file"
    return "" if os.access(path, os.R_OK) else "cannot be read: this process has no right to"
