"""What the meters read in one window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How serious a reading is, in the defaults of this software; the owner's own limits are something else."""

    QUIET = 0
    WARNING = 1
    RED = 2


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What all meters read of one target in one window.

    Attributes:
        name: name of the label or column.
        about: what the positive class is.
        rows: number of rows in the window.
        values: readings by meter, from 0 to 1; a meter without enough rows of both classes is left out.
        level: how serious the reading that covers most rows is; None in a window without such a one.
        lasting: name of the meter whose reading covers many windows already; others count where they repeat.
    """

    name: str
    about: str
    rows: int
    values: Mapping[str, float]
    level: Level | None
    lasting: str = ""
