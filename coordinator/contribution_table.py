"""Contributions of parties, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coordinator.figures import WITHHELD, figure_text
from party.output.quantities import count_text
from party.output.tables import PrintedTable, numbered, worded
from party.security.printable import printable

if TYPE_CHECKING:
    from coordinator.contributions import Contribution

SHOWN_DIGITS = 6  # significant digits of exact metrics; rounded ones have fewer
NOTHING = "-"


def contribution_lines(contributions: Sequence[Contribution], columns: int | None = None) -> list[str]:
    """Formats a table: parties, metrics, rows and bytes per sample.

    Args:
        contributions: in the order of the lines.
        columns: of the terminal; None for a pipe.
    """
    names = list(dict.fromkeys(name for one in contributions for name in (*one.metrics, *one.withheld)))
    table = PrintedTable(
        columns=(*worded("parties"), *numbered(*map(printable, names), "rows", "bytes/sample")),
        rows=tuple(
            (
                ", ".join(one.parties),
                *(_figure(one, name) for name in names),
                count_text(one.rows),
                f"{one.bytes_per_sample:,.1f}",
            )
            for one in contributions
        ),
    )
    return list(table.lines(columns))


def _figure(one: Contribution, name: str) -> str:
    if name in one.metrics:
        return figure_text(one.metrics[name], SHOWN_DIGITS)
    return WITHHELD if name in one.withheld else NOTHING
