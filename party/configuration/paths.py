"""Paths of files and folders in a configuration: `~` is expanded, environment variables are not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

HOME = "~"
_VARIABLE = re.compile(r"\$(?:\{|[A-Z_])")


def _expanded(path: str) -> str:
    if _VARIABLE.search(path):
        raise ValueError(
            "environment variables are not expanded: write the path out, or begin with ~/ for your home folder"
        )
    if not path.startswith(HOME):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise ValueError("there is no such home folder: write the path out, or ~/ for your own") from None


FilePath = Annotated[str, Field(min_length=1), AfterValidator(_expanded)]
