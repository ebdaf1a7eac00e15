"""Whether the cells of a column hold several values each."""

from __future__ import annotations

from party.configuration.canonical_text import VALUE_SEPARATOR
from party.data.kinds.lists import is_list, read_list
from party.drafting.column import Column
from party.drafting.guess import Guess

COMMA = ","
SEPARATORS = ("|", ";", COMMA)
FEWEST_SPLIT = 0.1  # share of the rows that a separator splits
MOST_DISTINCT = 0.5  # distinct values, as a share of all values: they must come again
DEFAULT_MAXIMUM_VALUES = 64
PROSE_BLANKS = 4
_WHY = "several values in a cell; if their order matters, kind: sequence reads it"


def guess_several(column: Column) -> Guess | None:
    """Guesses that each cell holds several values.

    Args:
        column: the column.

    Returns:
        The feature; None if the column holds something else.
    """
    if any(VALUE_SEPARATOR in text for text in column.given):
        most = max(text.count(VALUE_SEPARATOR) for text in column.given)
        return Guess({"kind": "multi_hot", **_bound(most)}, f"lists; {_WHY.partition('; ')[2]}")
    if column.given and column.share(is_list) == 1.0:
        most = max(len(read_list(text) or ()) for text in column.given)
        return Guess({"kind": "multi_hot", "lists": True, **_bound(most)}, f"lists; {_WHY.partition('; ')[2]}")
    for separator in SEPARATORS:
        split = {text: [one for one in map(str.strip, text.split(separator)) if one] for text in column.given}
        several = sum(column.given[text] for text, values in split.items() if len(values) > 1)
        if several < FEWEST_SPLIT * column.given_rows or not several:
            continue
        values = {one for found in split.values() for one in found}
        # A comma also stands inside of names: there the values must come again in different texts.
        weights = dict.fromkeys(split, 1) if separator == COMMA else column.given
        times = sum(weights[text] * len(found) for text, found in split.items())
        if len(values) > MOST_DISTINCT * times or _is_prose(values):
            continue
        return Guess({"kind": "multi_hot", "separator": separator, **_bound(max(map(len, split.values())))}, _WHY)
    return None


def _bound(most: int) -> dict[str, object]:
    """Twice as many as are there, where the default would not do: later rows may have more."""
    return {"maximum_values": 2 * most} if 2 * most > DEFAULT_MAXIMUM_VALUES else {}


def _is_prose(values: set[str]) -> bool:
    """Whether most values are sentences rather than names."""
    return sum(value.count(" ") >= PROSE_BLANKS for value in values) > len(values) / 2
