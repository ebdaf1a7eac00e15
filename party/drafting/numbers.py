"""Whether a column holds numbers, and how they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from party.configuration.numeric_feature import NumberNotation
from party.data.kinds.cells import parse_number
from party.data.kinds.notations import OTHER_NOTATIONS, number_parser
from party.drafting.column import Column
from party.drafting.guess import Guess

MOST_MALFORMED = 0.02  # share of rows that may be something else before a column is no column of numbers
FEW_NUMBERS = 10  # distinct whole numbers that are rather the codes of categories
ROWS_PER_CODE = 20
CODE_WORDS = frozenset(("id", "ids", "key", "code", "zip", "postcode", "plz", "uuid", "sku", "type", "category"))
_WHOLE = re.compile(r"\s*[+-]?[0-9]+(?:\.0*)?\s*")
_LEADING_ZERO = re.compile(r"0[0-9]+")
_COMMA = re.compile(r".*,[0-9]+", re.DOTALL)


def guess_number(column: Column, *, decimal_comma: bool) -> Guess | None:
    """Guesses that a column holds numbers that mean quantities.

    Args:
        column: the column.
        decimal_comma: whether other columns of the file have a comma before the fraction.

    Returns:
        The feature; None if the column holds something else.
    """
    markers, notation = _notation(column, decimal_comma)
    if notation is None:
        return None
    plain = column.without(markers)
    if is_code(plain):
        return None
    section: dict[str, object] = {"kind": "numeric"}
    section |= _notation_keys(notation)
    is_number = _holds(number_parser(notation))
    malformed = sum(count for text, count in plain.given.items() if not is_number(text))
    why = "numbers" + (f" written with {notation}" if section.keys() - {"kind"} else "")
    if malformed:
        section["malformed"] = "missing"
        why += f"; {malformed:,} rows hold something else, which counts as missing"
    return Guess(section, why, markers)


def has_decimal_comma(column: Column) -> bool:
    """Whether a column only makes sense with a comma before the fraction.

    Args:
        column: the column.
    """
    _, notation = _notation(column, decimal_comma=False)
    return notation is not None and notation.decimal == "," and column.share(lambda text: bool(_COMMA.match(text))) > 0


def is_code(column: Column) -> bool:
    """Whether whole numbers stand for things: by the column's name, by a leading zero, or because there are few.

    Args:
        column: of numbers.
    """
    if any(_LEADING_ZERO.fullmatch(text) for text in column.given):
        return True
    if not all(_WHOLE.fullmatch(text) for text in column.given):
        return False
    few = len(column.given) <= FEW_NUMBERS and column.given_rows >= ROWS_PER_CODE * len(column.given)
    return few or bool(column.words & CODE_WORDS)


def has_leading_zeros(column: Column) -> bool:
    """Whether texts of digits begin with a zero, which must not be lost.

    Args:
        column: the column.
    """
    return any(_LEADING_ZERO.fullmatch(text) for text in column.given)


def _notation(column: Column, decimal_comma: bool) -> tuple[tuple[str, ...], NumberNotation | None]:
    """The first notation in which almost all cells are numbers, and the texts that then stand for nothing."""
    comma = NumberNotation(decimal=",", thousands=".")
    order = [NumberNotation(), *OTHER_NOTATIONS]
    if decimal_comma:
        order = [NumberNotation(decimal=","), comma, *order]
    for notation in order:
        holds = _holds(number_parser(notation))
        markers = column.markers(holds)
        plain = column.without(markers)
        if plain.given and plain.share(holds) >= 1 - MOST_MALFORMED:
            return markers, notation
    return (), None


def _notation_keys(notation: NumberNotation) -> Mapping[str, object]:
    return {key: value for key, value in notation.model_dump(exclude_defaults=True).items() if value is not None}


def _holds(parse: Callable[[str], float]) -> Callable[[str], bool]:
    return lambda text: math.isfinite(parse(text))


def is_plain_number(text: str) -> bool:
    """Whether a text is a number as every program writes it."""
    return math.isfinite(parse_number(text))
