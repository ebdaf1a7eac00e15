"""Labels of two classes, by a rule that compares each cell with a value."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from party.configuration.canonical_text import canonical_text
from party.configuration.rules import BACKQUOTES, RuleParts
from party.data.kinds.advice import plain_number_advice
from party.data.kinds.cells import Cells, exact_number, parse_number
from party.data.known_labels import EQUALITIES, unquoted
from party.errors import ConfigurationError, DataError

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
LABELS = "labels are missing or malformed"


def positive_texts(cells: Cells, rule: RuleParts, advice: str) -> NDArray[np.bool_]:
    """Whether a rule holds, for each distinct text; what other rows hold makes no difference.

    Args:
        cells: the column.
        rule: the rule.
        advice: what to do about labels that cannot be read.

    Returns:
        bool (texts,).

    Raises:
        ConfigurationError: the rule orders cells by a value that is no number.
        DataError: a label is missing or malformed.
    """
    _, sign, operand = rule
    text = canonical_text(unquoted(operand))
    value = exact_number(canonical_text(operand))  # None for a value in quotes, which is a text
    compare = _COMPARISONS[sign]
    if sign in EQUALITIES and text:
        refuse_cells(cells, cells.missing, "a label in every row", advice)
    if value is not None:
        numbers = np.fromiter((parse_number(cell) for cell in cells.texts), dtype=np.float64, count=len(cells.texts))
        if sign not in EQUALITIES:
            refuse_texts(cells, np.isnan(numbers), "a number in every row", advice)
        return _compared(cells, numbers, compare, value)
    if sign not in EQUALITIES:
        raise ConfigurationError(
            "the rule's value is no number",
            where=f"{cells.where}: data.labels",
            expected=f"a number after {sign}",
            fix=BACKQUOTES,
            public_message="a label's rule does not fit its column",
        )
    return np.fromiter((compare(cell, text) for cell in cells.texts), np.bool_, count=len(cells.texts))


def _compared(
    cells: Cells, numbers: NDArray[np.float64], compare: Callable[[Any, Any], Any], value: Decimal
) -> NDArray[np.bool_]:
    """Whether each distinct text, as a number, compares with a value; one that is none equals no number.

    Floats tell it, as rounding changes no order, but for those that are equal to the value: their digits decide.
    """
    holds: NDArray[np.bool_] = compare(numbers, float(value))
    for place in np.flatnonzero(numbers == float(value)).tolist():
        holds[place] = compare(exact_number(cells.texts[place]), value)
    return holds


def refuse_cells(cells: Cells, without: NDArray[np.bool_], expected: str, advice: str, *, what: str = LABELS) -> None:
    """Refuses cells of labels, or of weights, that cannot be read.

    Args:
        cells: the column.
        without: which distinct texts they are, bool (texts,).
        expected: what a cell must be, for the error.
        advice: what to do.
        what: what is wrong.

    Raises:
        DataError: there are any; the text counts their rows.
    """
    if without.any():
        received = f"{cells.row_count(without)} rows without one"
        public_message = f"{what}; expected {expected}; received {received}"
        raise DataError(
            what, where=cells.where, expected=expected, received=received, fix=advice, public_message=public_message
        )


def refuse_texts(cells: Cells, without: NDArray[np.bool_], expected: str, advice: str, *, what: str = LABELS) -> None:
    """Refuses cells that are no numbers, as `refuse_cells` does; says where they are in another notation.

    Args:
        cells: the column.
        without: which distinct texts they are, bool (texts,).
        expected: what a cell must be, for the error.
        advice: what to do where nothing is known.
        what: what is wrong.

    Raises:
        DataError: there are any; the text counts their rows.
    """
    if without.any():
        refuse_cells(cells, without, expected, plain_number_advice(cells) or advice, what=what)
