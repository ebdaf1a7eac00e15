"""Cells of several values: between separators, or as lists."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from party.configuration.canonical_text import canonical_text
from party.configuration.features import MultiHotFeature, SequenceFeature
from party.data.kinds.cells import Cells, malformed_cells, parse_number
from party.data.kinds.lists import is_list
from party.data.kinds.parts import CORRECT, split_cells, written_values
from party.errors import DataError

_SIGNS = (":", "=")
_PAIR = re.compile(r"[^:=]+(?P<sign>[:=])\s*[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?", re.ASCII)
_LARGEST = float(np.finfo(np.float32).max)


def split_pairs(feature: MultiHotFeature, cells: Cells) -> Sequence[dict[str, float]]:
    """The weight of each value of each distinct text: 1, or the number beside it, summed over its repetitions.

    Args:
        feature: the feature's section of the configuration.
        cells: the column.

    Raises:
        DataError: a cell is no list where the feature reads lists, or holds a value without a finite number.
    """
    if feature.value_separator is None:
        return [dict.fromkeys(values, 1.0) for values in split_cells(feature, cells)]
    tag_of = str if feature.exact else canonical_text
    weighted = [_weights(values, feature.value_separator, tag_of) for values in written_values(feature, cells)]
    wrong = np.fromiter((one is None for one in weighted), dtype=np.bool_, count=len(weighted))
    if wrong.any():
        expected = f"values with a number each, as in tag{feature.value_separator}1"
        raise malformed_cells(cells, wrong, expected=expected, advice=CORRECT)
    return [one or {} for one in weighted]


def check_count(feature: MultiHotFeature, cells: Cells, counts: Sequence[int]) -> None:
    """Refuses cells of too many values.

    Args:
        feature: the feature's section of the configuration.
        cells: the column.
        counts: number of values of each distinct text.

    Raises:
        DataError: a cell has more than `maximum_values`; the text counts the rows.
    """
    too_many = np.array(counts, dtype=np.int64) > feature.maximum_values
    if too_many.any():
        raise DataError(
            "cells have too many values",
            where=cells.where,
            expected=f"at most {feature.maximum_values} (maximum_values)",
            received=f"{cells.row_count(too_many)} rows with more",
            fix="raise maximum_values or check the separator",
        )


def several_values_advice(feature: MultiHotFeature | SequenceFeature, cells: Cells) -> str:
    """Says what to do where most cells are lists, or most values pairs, and the feature does not read them so.

    Args:
        feature: the feature's section of the configuration.
        cells: the column.

    Returns:
        One sentence that counts rows; empty where nothing is known.
    """
    rows = cells.row_count(~cells.missing)
    if feature.separator is None:
        return ""
    lists = _count(cells, is_list)
    if 2 * lists > rows:
        return f"{lists} of {rows} rows are lists as Python and JSON write them: set lists: true in place of separator"
    if isinstance(feature, SequenceFeature) or feature.value_separator is not None:
        return ""
    return _pair_advice(cells, rows, feature.separator)


def _pair_advice(cells: Cells, rows: int, separator: str) -> str:
    signs = [_sign_of_pairs(text, separator) for text in cells.texts]
    for sign in _SIGNS:
        pairs = cells.row_count(np.array([found == sign for found in signs], dtype=np.bool_) & ~cells.missing)
        if 2 * pairs > rows:
            return f'{pairs} of {rows} rows look like tags with numbers: set value_separator: "{sign}"'
    return ""


def _stripped(values: Sequence[str]) -> Sequence[str]:
    return [value for value in map(str.strip, values) if value]


def _weights(values: Sequence[str], separator: str, tag_of: Callable[[str], str]) -> dict[str, float] | None:
    numbers: dict[str, list[float]] = {}
    for value in values:
        tag, found, number = value.rpartition(separator)
        weight = parse_number(number)
        if not found or not tag.strip() or math.isnan(weight):
            return None
        numbers.setdefault(tag_of(tag.strip()), []).append(weight)
    weights = {tag: math.fsum(several) for tag, several in numbers.items()}
    return weights if all(abs(weight) <= _LARGEST for weight in weights.values()) else None


def _sign_of_pairs(text: str, separator: str) -> str:
    """The sign within each value, if all values of a text are pairs with the same; else empty."""
    if not any(sign in text for sign in _SIGNS):
        return ""
    matches = [_PAIR.fullmatch(value) for value in _stripped(text.split(separator))]
    signs = {"" if match is None else match["sign"] for match in matches}
    return signs.pop() if len(signs) == 1 else ""


def _count(cells: Cells, holds: Callable[[str], bool]) -> int:
    """Number of rows with a cell whose text has a property."""
    given = zip(cells.missing.tolist(), cells.texts, strict=True)
    chosen: NDArray[np.bool_] = np.fromiter(
        (not missing and holds(text) for missing, text in given), dtype=np.bool_, count=len(cells.texts)
    )
    return cells.row_count(chosen)
