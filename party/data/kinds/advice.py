"""What a column of malformed numbers looks like, for its owner: counts of rows, and no cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from party.data.kinds.cells import Cells, parse_number
from party.data.kinds.moments import iso_moment
from party.data.kinds.notations import OTHER_NOTATIONS, number_parser

SHOWN_NOTATIONS = 2
# Day, month and year in any order, with one of the usual signs; a time may follow.
_WRITTEN_DATE = re.compile(r"\s*[0-9]{1,4}([./-])[0-9]{1,2}\1[0-9]{1,4}(?:[T ,].*)?", re.ASCII)


def number_advice(
    cells: Cells, malformed: NDArray[np.bool_], *, kind: Literal["numeric", "integer_buckets"] = "numeric"
) -> str:
    """Says what to do where most cells are no numbers as the feature reads them.

    Args:
        cells: the column.
        malformed: which distinct texts are malformed, bool (distinct texts,).
        kind: kind of the feature.

    Returns:
        One sentence that counts rows; empty where nothing is malformed, or few cells are and nothing explains them.
    """
    given = ~cells.missing
    rows, refused = cells.row_count(given), cells.row_count(malformed)
    if not refused:
        return ""
    dates = _count(cells, malformed, lambda text: iso_moment(text) is not None)
    if 2 * dates > rows:
        return f"{dates} of {rows} rows are dates or times in ISO 8601: there is kind: datetime"
    written = _count(cells, malformed, lambda text: _WRITTEN_DATE.fullmatch(text) is not None)
    if 2 * written > rows:
        return f"{written} of {rows} rows look like dates: there is kind: datetime, with format"
    other = _other_notation(cells, given, rows, readable=rows - refused, kind=kind)
    if other or 2 * refused <= rows:
        return other
    return (
        f"{refused} of {rows} rows are no numbers: check the column, or read texts by kind: vocabulary or hash;"
        " malformed: missing would make most rows missing"
    )


def plain_number_advice(cells: Cells) -> str:
    """Says that numbers are written in another notation, of a column for which there is none but the plain one.

    Args:
        cells: the column.

    Returns:
        One sentence that counts rows; empty where no other notation makes more and most of the rows numbers.
    """
    given = ~cells.missing
    plain = _count(cells, given, _is_number(parse_number))
    other = _other_notation(cells, given, cells.row_count(given), readable=plain, kind="numeric")
    return f"{other}: of labels and weights there is only the point, so write the column anew" if other else ""


def _other_notation(cells: Cells, given: NDArray[np.bool_], rows: int, *, readable: int, kind: str) -> str:
    """The notations in which more rows are numbers than as the feature reads them, and most are."""
    if kind == "integer_buckets":
        plain = _count(cells, given, _is_number(parse_number))
        if plain > readable and 2 * plain > rows:
            return f"{plain} of {rows} rows are numbers, some with a fraction: there is kind: numeric"
    counts = [(_count(cells, given, _is_number(number_parser(one))), one) for one in OTHER_NOTATIONS]
    most = max(count for count, _ in counts)
    if most <= readable or 2 * most <= rows:
        return ""
    # Of notations that explain as much, those with fewer signs come first, and the others add nothing.
    fewest = min(len(str(one)) for count, one in counts if count == most)
    best = [str(one) for count, one in counts if count == most and len(str(one)) == fewest][:SHOWN_NOTATIONS]
    numeric = "kind: numeric with " if kind != "numeric" else ""
    return f"{most} of {rows} rows would be numbers with {numeric}{' or '.join(best)}"


def _is_number(parse: Callable[[str], float]) -> Callable[[str], bool]:
    return lambda text: bool(np.isfinite(parse(text)))


def _count(cells: Cells, among: NDArray[np.bool_], holds: Callable[[str], bool]) -> int:
    """Number of rows whose text is among some and has a property."""
    chosen = (one and holds(text) for one, text in zip(among.tolist(), cells.texts, strict=True))
    return cells.row_count(np.fromiter(chosen, dtype=np.bool_, count=len(cells.texts)))
