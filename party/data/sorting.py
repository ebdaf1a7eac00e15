"""Orders of many rows, found part by part: what is sorted at a time does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute

Order = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]

SORTED_TOGETHER = 1 << 17  # rows of one part, about; more of very many rows
_MOST_PARTS = 64
_SAMPLES_PER_PART = 64
_WORD_VALUES = 1 << 64


def order_by_words(blocks: Callable[[], Iterable[Words]], rows: int, *, together: int = SORTED_TOGETHER) -> Order:
    """Orders rows by numbers that are spread evenly; rows with the same numbers keep their order.

    Args:
        blocks: gives the numbers of all rows, some rows at a time, uint64 (rows of the block, words); the last word
            comes first. It is called once for each part.
        rows: number of rows.
        together: rows of one part.

    Returns:
        Row numbers, int32 (rows,).
    """
    if rows <= together:
        every = list(blocks()) or [np.zeros((0, 1), np.uint64)]
        return np.lexsort((every[0] if len(every) == 1 else np.concatenate(every)).T).astype(np.int32)
    parts = min(_MOST_PARTS, -(-rows // together))
    order, filled = np.empty(rows, np.int32), 0
    for part in range(parts):
        lowest, highest = part * _WORD_VALUES // parts, (part + 1) * _WORD_VALUES // parts - 1
        numbers, words, start = [], [], 0
        for block in blocks():
            leading = block[:, -1]
            chosen = np.flatnonzero((leading >= np.uint64(lowest)) & (leading <= np.uint64(highest)))
            words.append(block[chosen])
            numbers.append((chosen + start).astype(np.int32))
            start += len(block)
        places = np.lexsort(np.concatenate(words).T)
        order[filled : filled + len(places)] = np.concatenate(numbers)[places]
        filled += len(places)
    return order


def order_by_text(
    texts: Any, rows: npt.NDArray[np.integer[Any]] | None = None, *, together: int = SORTED_TOGETHER
) -> Order:
    """Orders rows by the UTF-8 bytes of their texts.

    Args:
        texts: large_string without nulls, one for each row; an Arrow array.
        rows: the rows to order, numbers in `texts`; None orders all of them.
        together: rows of one part, about.

    Returns:
        Places in `rows`, int32 (rows,); those of equal texts ascending.
    """
    count = len(texts) if rows is None else len(rows)
    parts = min(_MOST_PARTS, -(-count // together))
    if parts <= 1:
        return _sorted(texts, rows)
    splits = _splits(texts, rows, parts)
    part_of_row = np.empty(count, np.uint16)
    for start in range(0, count, together):
        block = _taken(texts, rows, slice(start, start + together))
        found = np.zeros(len(block), np.uint16)
        for split in splits:
            found += compute.greater_equal(block, split).to_numpy(zero_copy_only=False)
        part_of_row[start : start + together] = found
    order, filled = np.empty(count, np.int32), 0
    for part in range(parts):
        places = np.flatnonzero(part_of_row == part)
        order[filled : filled + len(places)] = places[_sorted(texts, places if rows is None else rows[places])]
        filled += len(places)
    return order


def _sorted(texts: Any, rows: npt.NDArray[np.integer[Any]] | None) -> Order:
    taken = texts if rows is None else texts.take(pa.array(rows))
    return np.asarray(compute.sort_indices(taken).to_numpy().astype(np.int32))


def _taken(texts: Any, rows: npt.NDArray[np.integer[Any]] | None, chosen: slice) -> Any:
    return texts[chosen] if rows is None else texts.take(pa.array(rows[chosen]))


def _splits(texts: Any, rows: npt.NDArray[np.integer[Any]] | None, parts: int) -> list[Any]:
    """The least texts of all parts but the first, estimated by some of the texts."""
    count = len(texts) if rows is None else len(rows)
    places = np.linspace(0, count - 1, parts * _SAMPLES_PER_PART).astype(np.int64)
    samples = texts.take(pa.array(places if rows is None else rows[places]))
    ordered = samples.take(compute.sort_indices(samples))
    return [ordered[part * _SAMPLES_PER_PART] for part in range(1, parts)]
