"""Keys of rows: cells transformed as both sides of a join declare, and several of them as one text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from party.configuration.joins import KeyRule, Transform
from party.data.text_columns import TextColumn
from party.data.values.distinct import TEXT
from party.errors import DataError

Codes = npt.NDArray[np.int32]

_TOGETHER = 1 << 16  # texts
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


def row_keys(columns: Mapping[str, TextColumn], rule: KeyRule, where: str) -> TextColumn:
    """Makes the keys of all rows.

    Args:
        columns: has the rule's columns.
        rule: how a key is made.
        where: party and file, for errors.

    Returns:
        The key of each row, NO_KEY where it refers to nothing.

    Raises:
        DataError: cells that are declared as digests are none.
    """
    first, *others = (_part(columns[name], rule, f"{where}: column {name}") for name in rule.columns)
    if not others:
        return first
    rows, keys = first.codes.astype(np.int64), _with_lengths(first)
    for other in others:
        # A number for each pair; numbered anew, as the product over many columns would not fit.
        texts = _with_lengths(other)
        rows, pairs = pd.factorize(rows * len(texts) + other.codes)
        before, after = keys.take(pa.array(pairs // len(texts))), texts.take(pa.array(pairs % len(texts)))
        keys = compute.binary_join_element_wise(before, after, pa.scalar("", TEXT))  # null where a part is
    return _numbered(keys.fill_null(NO_KEY), rows.astype(np.int32))


def _with_length(part: str) -> str:
    return f"{len(part)}:{part}"


def _with_lengths(column: TextColumn) -> Any:
    """The distinct texts, each with its length before it; null in place of an empty one."""
    texts = column.distinct
    lengths = compute.utf8_length(texts).cast(TEXT)
    joined = compute.binary_join_element_wise(lengths, texts, pa.scalar(":", TEXT))
    return compute.if_else(compute.equal(texts, NO_KEY), pa.scalar(None, TEXT), joined)


def _part(cells: TextColumn, rule: KeyRule, where: str) -> TextColumn:
    """A column as the key has it."""
    if not rule.transforms:
        return cells
    if rule.transformed:
        texts = cells.texts()
        _check_digests(texts, cells, rule.transforms, where)
        return _numbered(pa.array(_without_digest_of_nothing(texts, rule.transforms), TEXT), cells.codes)
    return _numbered(_transformed(cells.distinct, rule.transforms), cells.codes)


def _transformed(texts: Any, transforms: Sequence[Transform]) -> Any:
    """Transforms Arrow texts, of which few are Python's own at a time."""
    blocks = (texts[start : start + _TOGETHER].to_pylist() for start in range(0, len(texts), _TOGETHER))
    parts = [pa.array([transformed(text, transforms) for text in block], TEXT) for block in blocks]
    return pa.concat_arrays(parts or [pa.array([], TEXT)])


def _numbered(texts: Any, codes: Codes) -> TextColumn:
    """A column of which each row has the number of its text, of Arrow texts; texts that are equal become one."""
    encoded = texts.dictionary_encode()
    return TextColumn(encoded.indices.to_numpy().astype(np.int32, copy=False)[codes], encoded.dictionary)


def _check_digests(texts: Sequence[str], cells: TextColumn, transforms: Sequence[Transform], where: str) -> None:
    """Refuses declared digests in any other notation: they would match nobody's."""
    if transforms[-1] != "sha256":
        return
    wrong = np.array([text != NO_KEY and _SHA256.fullmatch(text) is None for text in texts], dtype=np.bool_)
    rows = int(cells.counts()[wrong].sum())
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
