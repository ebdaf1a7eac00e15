"""A digest of texts in their order, some of which are read at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from pyarrow import compute


def text_digest(blocks: Callable[[], Iterable[Any]]) -> bytes:
    """SHA-256 of texts: of their lengths, then of their bytes.

    Args:
        blocks: gives all texts in their order, some at a time, as Arrow arrays of large_string without nulls; it is
            called twice.

    Returns:
        32 bytes.
    """
    digest = hashlib.sha256()
    for block in blocks():
        digest.update(compute.binary_length(block).to_numpy(zero_copy_only=False).astype("<i8").data)
    for block in blocks():
        lengths = compute.binary_length(block)
        content = block.buffers()[2]
        if content is not None and len(block):
            first = _offset(block)
            digest.update(memoryview(content)[first : first + compute.sum(lengths).as_py()])
    return digest.digest()


def _offset(block: Any) -> int:
    """Place of the first text's first byte among the bytes of all texts that the array shares them with."""
    return int(np.frombuffer(block.buffers()[1], np.int64)[block.offset])
