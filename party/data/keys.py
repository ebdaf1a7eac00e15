"""Keys of rows: cells transformed as both sides of a join declare, and several of them as one text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from party.configuration.joins import KeyRule, Transform
from party.errors import DataError

Texts = npt.NDArray[np.object_]
Codes = npt.NDArray[np.int64]

NO_KEY = ""  # the key of a row that refers to nothing
_NO_DIGIT = re.compile("[^0-9]+")
_SHA256 = re.compile("[0-9a-f]{64}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_TRANSFORMS: Mapping[Transform, Callable[[str], str]] = {
    "strip": str.strip,
    "lower": str.lower,
    "digits": lambda text: _NO_DIGIT.sub("", text),
    "sha256": _sha256,
}


def transformed(text: str, transforms: Sequence[Transform]) -> str:
    """Applies transformations to the text of one cell.

    Args:
        text: the text.
        transforms: what happens to it, in order.

    Returns:
        The result; NO_KEY where nothing is left at any point, also before a digest.
    """
    for one in transforms:
        if text == NO_KEY:
            return NO_KEY
        text = _TRANSFORMS[one](text)
    return text


def composite_key(parts: Sequence[str]) -> str:
    """Makes one text of the parts of a key; other parts give another text.

    Args:
        parts: the key's cells, transformed.

    Returns:
        The exact text of a single part; of several each with its length before it, so that no two tuples collide.
        NO_KEY if any part is empty.
    """
    if NO_KEY in parts:
        return NO_KEY
    return parts[0] if len(parts) == 1 else "".join(map(_with_length, parts))


def row_keys(frame: pd.DataFrame, rule: KeyRule, where: str) -> Texts:
    """Makes the keys of all rows.

    Args:
        frame: has the rule's columns, as text.
        rule: how a key is made.
        where: party and file, for errors.

    Returns:
        The key of each row, NO_KEY where it refers to nothing; shape (rows,).

    Raises:
        DataError: cells that are declared as digests are none.
    """
    (rows, keys), *more = (_part(frame[name], rule, f"{where}: column {name}") for name in rule.columns)
    if more:
        keys = _with_lengths(keys)
    for codes, texts in more:
        # A number for each pair; numbered anew, as the product over many columns would not fit.
        rows, pairs = pd.factorize(rows * len(texts) + codes)
        before, after = keys[pairs // len(texts)], _with_lengths(texts)[pairs % len(texts)]
        keys = np.where((before == NO_KEY) | (after == NO_KEY), NO_KEY, before + after)
    return keys[rows]


def _with_length(part: str) -> str:
    return f"{len(part)}:{part}"


def _with_lengths(texts: Texts) -> Texts:
    return np.array([text and _with_length(text) for text in texts.tolist()], dtype=object)


def _part(cells: pd.Series[str], rule: KeyRule, where: str) -> tuple[Codes, Texts]:
    """The distinct cells of a column as the key has them, and which of them each row holds."""
    codes, distinct = pd.factorize(cells)
    texts = distinct.tolist()
    if rule.transformed:
        _check_digests(texts, codes, rule.transforms, where)
        texts = _without_digest_of_nothing(texts, rule.transforms)
    else:
        texts = [transformed(text, rule.transforms) for text in texts]
    return codes.astype(np.int64), np.array(texts, dtype=object)


def _check_digests(texts: Sequence[str], codes: Codes, transforms: Sequence[Transform], where: str) -> None:
    """Refuses declared digests in any other notation: they would match nobody's."""
    if transforms[-1] != "sha256":
        return
    wrong = np.array([text != NO_KEY and _SHA256.fullmatch(text) is None for text in texts], dtype=np.bool_)
    rows = int(wrong[codes].sum())
    if rows:
        raise DataError(
            "cells are no SHA-256 digests",
            where=where,
            expected="64 lower-case hexadecimal digits, as transformed: true declares",
            received=f"{rows} rows with something else",
            fix="set transformed: false where the column holds the identifiers themselves",
            public_message="a column of keys that is declared as transformed holds no SHA-256 digests",
        )


def _without_digest_of_nothing(texts: Sequence[str], transforms: Sequence[Transform]) -> list[str]:
    """Takes what a partner's tools make of an empty cell for an empty cell."""
    nothing = NO_KEY
    for one in transforms:
        nothing = _TRANSFORMS[one](nothing)
    return [NO_KEY if text == nothing else text for text in texts]
