"""Shared parts of the commands that prepare data: the folder of downloads, and the output of results and errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from party.errors import SplitError


def cache_beside(folder: Path) -> Path:
    """Returns the default folder for downloads.

    Args:
        folder: output folder of the data.

    Returns:
        `cache` beside `folder`.
    """
    return folder.absolute().parent / "cache"


def report(work: Callable[[], object]) -> None:
    """Prints the result of a function; if it fails, prints one line and exits with the code of the error.

    Args:
        work: function to call.
    """
    try:
        result = work()
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(str(result))
