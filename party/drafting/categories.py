"""Texts and codes that come again, as categories."""

from __future__ import annotations

from party.drafting.column import MARKERS, Column
from party.drafting.guess import Guess, LeftOut
from party.drafting.numbers import has_leading_zeros, is_plain_number

LARGE_VOCABULARY = 50_000
RARE_FROM = 1_000  # distinct texts, from which those of a single row are better left to share one place
FEWEST_ROWS = 20  # below, nothing can be said of how often a text comes
MOST_DISTINCT = 0.9
PROSE_CHARACTERS = 60
BOTH = 2  # categories, of which neither stands for nothing
_CATEGORY_MARKERS = tuple(one for one in MARKERS if one not in ("-", "None", "none", "unknown"))


def guess_category(column: Column) -> Guess | LeftOut:
    """Guesses that a column holds categories, or nothing that a model learns from.

    Args:
        column: the column, which holds neither numbers, dates nor several values.

    Returns:
        The feature, or why there is none.
    """
    distinct, rows = len(column.given), column.given_rows
    if rows >= FEWEST_ROWS and distinct > MOST_DISTINCT * rows:
        long = sum(len(text) * count for text, count in column.given.items()) / rows
        if long > PROSE_CHARACTERS:
            return LeftOut("free text, which no kind reads")
        return LeftOut("another text in almost every row, as names and ids have: nothing to learn from")
    what = "codes" if all(map(is_plain_number, column.given)) else "categories"
    section: dict[str, object] = {"kind": "vocabulary"}
    why = f"{what}, {distinct:,} different"
    if distinct > LARGE_VOCABULARY:
        section = {"kind": "hash", "buckets": 1 << (distinct - 1).bit_length()}
        why += ", too many to list"
    elif distinct > RARE_FROM:
        section["minimum_count"] = 2
        why += "; those of a single row count as unknown"
    if has_leading_zeros(column):
        section["exact"] = True
        why += ", with leading zeros"
    markers = tuple(one for one in _CATEGORY_MARKERS if one in column.given) if distinct > BOTH else ()
    return Guess(section, why, markers)
