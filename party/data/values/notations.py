"""Texts of a column in their canonical form: one notation for each number, date, time, boolean and UUID."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import compute

from party.configuration.canonical_text import (
    BOOLEANS,
    MOMENT_PATTERN,
    NUMBER_PATTERN,
    TIME_PATTERN,
    UUID_PATTERN,
    canonical_text,
)
from party.data.values.distinct import TEXT

_DAY = (
    "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"  # of any year
)
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"

_HAS_OTHERS = "|".join([NUMBER_PATTERN, MOMENT_PATTERN, TIME_PATTERN, UUID_PATTERN, *BOOLEANS])
# Canonical already: most columns hold nothing else, and cost two regular expressions.
_WHOLE = "-?[1-9][0-9]{0,20}|0"
_FRACTION = r"-?[1-9][0-9]{0,20}\.[0-9]*[1-9]|-?0\.[0-9]{0,19}[1-9]"
_IS_CANONICAL = f"{_WHOLE}|{_FRACTION}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|[0-9a-f]{{8}}-[0-9a-f-]{{27}}"

# Notations that Arrow rewrites, so that millions of them cost no loop.
_PLAIN_NUMBER = r"-?[1-9][0-9]{0,20}\.[0-9]*|-?0\.[0-9]{0,20}"
_NAIVE_MOMENT = rf"[1-9][0-9]{{3}}-{_DAY}[T ]{_CLOCK}(?:\.[0-9]+)?"
_NUMBER_STEPS = ((r"^(-?[0-9]+)\.0*$", r"\1"), (r"^(-?[0-9]+\.[0-9]*[1-9])0+$", r"\1"), ("^-0$", "0"))
_FRACTION_STEPS = ((r"\.0*$", ""), (r"(\.[0-9]*[1-9])0+$", r"\1"))
_MIDNIGHT_STEPS = ((" 00:00:00$", ""),)
_MOMENT_STEPS = (("T", " "), *_FRACTION_STEPS, *_MIDNIGHT_STEPS)


def canonical(texts: pa.Array) -> pa.Array:
    """The canonical text of each text; equal to `canonical_text` of each.

    Args:
        texts: large_string without nulls, each once for speed.
    """
    chosen = compute.and_(is_whole(texts, _HAS_OTHERS), compute.invert(is_whole(texts, _IS_CANONICAL)))
    if not compute.any(chosen).as_py():
        return texts
    written = texts.filter(chosen)
    numbers, moments = is_whole(written, _PLAIN_NUMBER), is_whole(written, _NAIVE_MOMENT)
    identifiers = is_whole(written, UUID_PATTERN)
    rest = compute.invert(compute.or_(compute.or_(numbers, moments), identifiers))
    slow = pa.array(map(canonical_text, written.filter(rest).to_pylist()), TEXT)
    for mask, rewritten in (
        (numbers, _replaced(written.filter(numbers), _NUMBER_STEPS)),
        (moments, _replaced(written.filter(moments), _MOMENT_STEPS)),
        (identifiers, compute.ascii_lower(written.filter(identifiers))),
        (rest, slow),
    ):
        written = compute.replace_with_mask(written, mask, rewritten)
    return compute.replace_with_mask(texts, chosen, written)


def without_needless_zeros(texts: pa.Array) -> pa.Array:
    """Texts of times without zeros at the end of a fraction of a second.

    Args:
        texts: large_string without nulls.
    """
    return _replaced(texts, _FRACTION_STEPS)


def without_midnight(texts: pa.Array) -> pa.Array:
    """Texts of timestamps without a zone, each day's midnight as the day alone.

    Args:
        texts: large_string without nulls.
    """
    return _replaced(texts, _MIDNIGHT_STEPS)


def is_whole(texts: pa.Array, pattern: str) -> pa.Array:
    """Whether a regular expression holds for all of a text, for each.

    Args:
        texts: large_string without nulls.
        pattern: the expression.
    """
    return compute.match_substring_regex(texts, rf"\A(?:{pattern})\z")


def _replaced(texts: pa.Array, steps: tuple[tuple[str, str], ...]) -> pa.Array:
    for pattern, replacement in steps:
        texts = compute.replace_substring_regex(texts, pattern=pattern, replacement=replacement)
    return texts
