"""The distinct texts of a column in the order of their bytes, and which of them each row holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute

from party.errors import DataError

Texts = npt.NDArray[np.object_]
Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class DistinctTexts:
    """A column of text.

    Attributes:
        ordered: the distinct texts, ascending by their UTF-8 bytes; an Arrow array.
        codes: number of each row's text among them; shape (rows,), int32.
    """

    ordered: Any
    codes: Codes

    def texts(self) -> list[str]:
        """The distinct texts, in their order."""
        found: list[str] = self.ordered.to_pylist()
        return found

    def digest(self) -> bytes:
        """SHA-256 of the distinct texts: of their lengths, then of their bytes."""
        lengths = compute.binary_length(self.ordered).to_numpy(zero_copy_only=False).astype("<i8")
        digest = hashlib.sha256(lengths.tobytes())
        content = self.ordered.buffers()[2]
        if content is not None:
            digest.update(memoryview(content)[: int(lengths.sum())])
        return digest.digest()


def distinct_texts(texts: Texts, where: str) -> DistinctTexts:
    """Finds the distinct texts of a column.

    Args:
        texts: the text of each row; shape (rows,).
        where: what the column is, for errors.

    Raises:
        DataError: a text cannot be written as UTF-8.
    """
    try:
        column = pa.array(texts, type=pa.large_string())
    except UnicodeEncodeError:
        raise DataError("a text cannot be written as UTF-8", where=where, fix="clean the column") from None
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column.dictionary_encode()
    order = compute.sort_indices(encoded.dictionary)
    ranks = np.empty(len(order), np.int32)
    ranks[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    return DistinctTexts(encoded.dictionary.take(order), ranks[encoded.indices.to_numpy()])
