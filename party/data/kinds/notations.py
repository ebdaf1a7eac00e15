"""Numbers in the notations of several countries."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from party.configuration.numeric_feature import NO_BREAK_BLANKS, NumberNotation
from party.data.kinds.cells import parse_number

# What print shows alike counts as one sign.
_ALIKE = {" ": "[ " + "".join(NO_BREAK_BLANKS) + "]", "'": "['\u2019]"}
# Sorted by what is tried first: a notation with fewer signs explains a column better than one with more.
OTHER_NOTATIONS = tuple(
    NumberNotation.model_validate({"decimal": decimal, "thousands": thousands})
    for thousands in (None, ".", ",", " ", "'")
    for decimal in (",", ".")
    if decimal != thousands and (decimal, thousands) != (".", None)
)


def number_parser(notation: NumberNotation) -> Callable[[str], float]:
    """Makes the function that reads numbers of a notation.

    Args:
        notation: how numbers are written. Digits before the decimal sign stand in groups of three, the first of which
            may be shorter, or without signs between them.

    Returns:
        From a text to the finite number that it is, blanks around it allowed; to NaN for any other text.
    """
    if notation == NumberNotation():
        return parse_number
    decimal = re.escape(notation.decimal)
    whole = "[0-9]+"
    sign = None
    if notation.thousands is not None:
        sign = re.compile(_ALIKE.get(notation.thousands, re.escape(notation.thousands)))
        whole = rf"(?:[0-9]{{1,3}}(?:{sign.pattern}[0-9]{{3}})+|[0-9]+)"
    pattern = re.compile(rf"\s*[+-]?(?:{whole}(?:{decimal}[0-9]*)?|{decimal}[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")

    def parse(text: str) -> float:
        if pattern.fullmatch(text) is None:
            return math.nan
        digits = text if sign is None else sign.sub("", text.strip())
        number = float(digits.replace(notation.decimal, "."))
        return number if math.isfinite(number) else math.nan

    return parse
