"""Counts texts that repeat among many, in eight bytes of memory for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

_BLOCK_ROWS = 1 << 13  # hashed at a time
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that a power of it is never 0
_LENGTHS = np.uint64(0xC2B2AE3D27D4EB4F)


def repeated_texts(texts: pa.Array | pa.ChunkedArray) -> int:
    """Counts the distinct texts that appear more than once.

    Texts are told apart by a hash first; those whose hashes are equal are compared as they are.

    Args:
        texts: large_string without nulls.
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    hashes = _all_hashes(chunks)
    hashes.sort()
    repeated = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if not len(repeated):
        return 0
    hashes = _all_hashes(chunks)
    suspects = pa.chunked_array([texts]) if isinstance(texts, pa.Array) else texts
    counts = compute.value_counts(suspects.filter(pa.array(np.isin(hashes, repeated)))).field("counts")
    return int(compute.sum(compute.greater(counts, 1)).as_py() or 0)


def _all_hashes(chunks: Sequence[Any]) -> NDArray[np.uint64]:
    hashes, filled = np.empty(sum(map(len, chunks)), np.uint64), 0
    for chunk in chunks:
        for start in range(0, len(chunk), _BLOCK_ROWS):
            block = _hashes(chunk.slice(start, _BLOCK_ROWS))
            hashes[filled : filled + len(block)] = block
            filled += len(block)
    return hashes


def _hashes(texts: Any) -> NDArray[np.uint64]:
    """A hash of each text, uint64 (texts,): a polynomial of its bytes and its length."""
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    lengths = np.diff(offsets)
    hashes = lengths.astype(np.uint64) * _LENGTHS
    if len(texts) and offsets[-1] > offsets[0]:
        content = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        places = np.arange(len(content)) - np.repeat(offsets[:-1] - offsets[0], lengths)
        powers = np.cumprod(np.full(int(lengths.max()), _BASE, np.uint64))
        filled = np.flatnonzero(lengths)
        terms = (content.astype(np.uint64) + np.uint64(1)) * powers[places]
        hashes[filled] += np.add.reduceat(terms, (offsets[:-1] - offsets[0])[filled])
    return hashes
