"""Cells of ids and keys as text: the same for both partners, and never one for two keys that differ."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from party.configuration.canonical_text import BOOLEANS, MOMENT_PATTERN, TIME_PATTERN, UUID_PATTERN
from party.data.values.distinct import TEXT, DistinctValues, as_texts, distinct_values
from party.data.values.notations import canonical, is_whole
from party.data.values.typed import is_missing, typed_texts, whole_numbers, whole_texts
from party.data.values.types import check_type, is_text, plain_type
from party.errors import DataError

_WHOLE_WITH_POINT = r"-?(?:0|[1-9][0-9]*)\.0*"  # what becomes of whole numbers once a column has an empty cell
# As Python and pandas print one, and spreadsheets, in some countries with a comma; 7e10 and 7E+10 are none.
_PRINTED_FLOAT = r"-?[0-9](?:\.[0-9]+)?e[+-][0-9]{2,3}|-?[0-9][.,][0-9]+E[+-][0-9]{2,3}"
_EXACT_BELOW = 2**53
_DIGITS_OF_EXACT = len(str(_EXACT_BELOW))
_NOTATIONS = "|".join([UUID_PATTERN, MOMENT_PATTERN, TIME_PATTERN])


def canonical_keys(column: pa.Array | pa.ChunkedArray, *, where: str) -> pa.ChunkedArray:
    """The text of every cell of a column that holds ids or keys.

    Texts stay exactly as they are, but: a whole number with a point (`3.0`) is the whole number, dates and times and
    UUIDs have one notation, and true and false are written in lower case.

    Args:
        column: an Arrow column of any type that `check_type` lets pass, but lists.
        where: party, file and column, for errors.

    Returns:
        large_string without nulls; empty for a null.

    Raises:
        DataError: the column is of another type; or holds floats, or the texts of floats, that are no whole numbers or
            too large to tell one from the next.
    """
    check_type(column.type, lists=False, where=where)
    kind = plain_type(column.type)
    distinct = distinct_values(column, where)
    if is_text(kind):
        return distinct.spread(_key_texts(distinct, where))
    if pa.types.is_floating(kind):
        _refuse_inexact(distinct, ~whole_numbers(distinct.values) & ~is_missing(distinct.values), where)
        return distinct.spread(whole_texts(distinct.values))
    if pa.types.is_decimal(kind):
        return distinct.spread(_decimal_texts(distinct.values))
    if pa.types.is_boolean(kind):
        return distinct.spread(as_texts(distinct.values))
    return distinct.spread(typed_texts(distinct.values, kind))


def _key_texts(distinct: DistinctValues, where: str) -> pa.Array:
    texts = as_texts(distinct.values)
    printed = is_whole(texts, _PRINTED_FLOAT).to_numpy(zero_copy_only=False)
    _refuse_inexact(distinct, printed | _is_beyond_exact(texts), where)
    for pattern, rewrite in _REWRITTEN:
        chosen = is_whole(texts, pattern)
        if compute.any(chosen).as_py():
            texts = compute.replace_with_mask(texts, chosen, rewrite(texts.filter(chosen)))
    return texts


def _without_point(texts: pa.Array) -> pa.Array:
    whole = compute.replace_substring_regex(texts, pattern=r"\.0*$", replacement="")
    return compute.if_else(compute.equal(whole, "-0"), pa.scalar("0", TEXT), whole)


def _lower(texts: pa.Array) -> pa.Array:
    return compute.ascii_lower(texts)


_REWRITTEN = ((_WHOLE_WITH_POINT, _without_point), (_NOTATIONS, canonical), ("|".join(BOOLEANS), _lower))


def _is_beyond_exact(texts: pa.Array) -> NDArray[np.bool_]:
    """Whether a text is a whole number with a point, and so large that a float may have changed it."""
    is_long = is_whole(texts, rf"-?[1-9][0-9]{{{_DIGITS_OF_EXACT - 1},}}\.0*")
    long = np.array(is_long.to_numpy(zero_copy_only=False))
    for place in np.flatnonzero(long).tolist():
        digits = texts[place].as_py().partition(".")[0].lstrip("-")
        long[place] = len(digits) > _DIGITS_OF_EXACT or int(digits) >= _EXACT_BELOW
    return long


def _decimal_texts(values: pa.Array) -> pa.Array:
    """Decimals digit by digit, without an exponent; whole ones without a point."""
    texts = pa.array(["" if one is None else f"{one:f}" for one in values.to_pylist()], TEXT)
    whole = is_whole(texts, _WHOLE_WITH_POINT)
    return compute.replace_with_mask(texts, whole, _without_point(texts.filter(whole)))


def _refuse_inexact(distinct: DistinctValues, inexact: NDArray[np.bool_], where: str) -> None:
    rows = distinct.row_count(inexact)
    if rows:
        raise DataError(
            "keys are floating-point numbers that are not whole or too large to be exact",
            where=where,
            expected="texts or whole numbers; floats only where they are whole and exact",
            received=f"{rows} rows with another",
            fix="write the column as text or as integers, before anything has made floats of it",
            public_message="keys in its data are floating-point numbers that are not exact",
        )
