"""Labels of the positive and the negative class, from a column and a rule."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from party.configuration.features import LabelSection
from party.data.kinds.cells import Cells, parse_number, read_cells
from party.errors import ConfigurationError, DataError

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_EQUALITIES = ("==", "!=")
_QUOTES = ("'", '"')


def read_labels(party: str, label: LabelSection, column: pd.Series[str], source: str) -> NDArray[np.float32]:
    """Applies the label rule to a column.

    `>`, `>=`, `<` and `<=` compare numbers. `==` and `!=` compare numbers if the rule's value and every
    cell are numbers, and else exact texts; the value may stand in quotes, which makes it a text. An empty
    cell has no label, unless the rule compares with the empty text.

    Args:
        party: own name, for errors.
        label: the rule.
        column: text, shape (rows,).
        source: file that it came from, for errors.

    Returns:
        1 for the positive class and 0 for the negative, float32, shape (rows,).

    Raises:
        ConfigurationError: the rule orders cells by a value that is no number.
        DataError: cells are empty or no numbers, or all rows have one class.
    """
    name, sign, operand = label.parts
    cells = read_cells(column, (), f"{party}: {source}: column {name}")
    positive = _positive(cells, sign, operand)
    labels = positive[cells.codes].astype(np.float32)
    if labels.all() or not labels.any():
        raise DataError(
            "labels have one class only",
            where=cells.where,
            expected="rows of both classes",
            received=f"{len(labels)} rows of one class",
            fix="check data.label.rule",
        )
    return labels


def _positive(cells: Cells, sign: str, operand: str) -> NDArray[np.bool_]:
    """Whether the rule holds, for each distinct text."""
    text = _unquoted(operand)
    numbers = np.fromiter((parse_number(cell) for cell in cells.texts), dtype=np.float64, count=len(cells.texts))
    threshold = parse_number(operand)
    if sign not in _EQUALITIES:
        if np.isnan(threshold):
            raise ConfigurationError("value is no number", where="data.label.rule", expected=f"a number after {sign}")
        _refuse(cells, np.isnan(numbers), "a number in every row")
    elif text:
        _refuse(cells, cells.missing, "a label in every row")
    compare = _COMPARISONS[sign]
    if np.isnan(threshold) or np.isnan(numbers).any():
        return np.fromiter((compare(cell, text) for cell in cells.texts), dtype=np.bool_, count=len(cells.texts))
    holds: NDArray[np.bool_] = compare(numbers, threshold)
    return holds


def _unquoted(operand: str) -> str:
    quoted = len(operand) > 1 and operand[0] in _QUOTES and operand[0] == operand[-1]
    return operand[1:-1] if quoted else operand


def _refuse(cells: Cells, without: NDArray[np.bool_], expected: str) -> None:
    if without.any():
        received = f"{cells.row_count(without)} rows without one"
        raise DataError("labels are missing or malformed", where=cells.where, expected=expected, received=received)
