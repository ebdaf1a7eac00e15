"""A part of the values of every row, and zero for the others."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from party.codecs.affine import decode_rows, encode_rows, rows_bytes, rows_error_bound
from party.codecs.codec import Columns, FloatArray
from party.data.order import permutation

BYTE_BITS = 8
STREAM = "randomk"
BLOCK_ROWS = 1024  # what one of them needs stays in a processor's cache, and the allocator keeps its memory


class TopKCodec:
    """The values of a row that are largest by size, with their places.

    Places are a bit for each column, or a number for each value, whichever takes fewer bytes for this shape.

    Args:
        columns: of the matrix.
        fraction: of the columns that are kept, rounded up.
        bits: of a kept value: 32, or 8 with a range for each row.
    """

    def __init__(self, columns: Columns, fraction: float, bits: int) -> None:
        self._columns = columns.total
        self._kept = kept_columns(columns.total, fraction)
        self._bits = bits
        self._place_bits = max(1, math.ceil(math.log2(max(2, columns.total))))
        self._as_bits = self._columns <= self._kept * self._place_bits

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Places, then values by ascending place."""
        blocks = [matrix[start : start + BLOCK_ROWS] for start in range(0, max(1, len(matrix)), BLOCK_ROWS)]
        chosen = [np.sort(_largest(block, self._kept), axis=1) for block in blocks]
        places = b"".join(self._pack(one) for one in chosen)
        return places + _encode_values(np.take_along_axis(matrix, np.concatenate(chosen), axis=1), self._bits)

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """The values in their places; not a number where places were made up."""
        split = rows * self._place_bytes
        packed = np.frombuffer(data, np.uint8, split).reshape(rows, self._place_bytes)
        values = _decode_values(data[split:], rows, self._kept, self._bits)
        matrix = np.zeros((rows, self._columns), np.float32)
        if self._as_bits:
            mask = np.unpackbits(packed, axis=1, count=self._columns).astype(np.bool_)
            if (mask.sum(axis=1) != self._kept).any():
                return np.full_like(matrix, np.nan)
            matrix[mask] = values.reshape(-1)
            return matrix
        bits = np.unpackbits(packed, axis=1, count=self._kept * self._place_bits)
        weights = 1 << np.arange(self._place_bits)
        chosen = (bits.reshape(rows, self._kept, self._place_bits) * weights).sum(axis=2)
        ascending = (np.diff(chosen, axis=1) > 0).all() and (chosen < self._columns).all()
        if not ascending:
            return np.full_like(matrix, np.nan)
        np.put_along_axis(matrix, chosen, values, axis=1)
        return matrix

    def encoded_bytes(self, rows: int) -> int:
        """Of places and values."""
        return rows * self._place_bytes + _values_bytes(rows, self._kept, self._bits)

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """What is dropped is at most as large as the least of what is kept."""
        size: npt.NDArray[np.float64] = np.abs(matrix.astype(np.float64))
        threshold = np.sort(size, axis=1)[:, -self._kept][:, None]
        dropped: npt.NDArray[np.float64] = size * (size <= threshold)
        if self._bits == BYTE_BITS:
            chosen = _largest(matrix, self._kept)
            kept = rows_error_bound(np.take_along_axis(matrix, chosen, axis=1), self._bits).max(axis=1, keepdims=True)
            dropped = np.maximum(dropped, kept)
        return dropped

    def _pack(self, chosen: npt.NDArray[np.int64]) -> bytes:
        rows = len(chosen)
        if self._as_bits:
            mask = np.zeros((rows, self._columns), np.bool_)
            np.put_along_axis(mask, chosen, True, axis=1)
            return np.packbits(mask, axis=1).tobytes()
        bits = (chosen[:, :, None] >> np.arange(self._place_bits)) & 1
        return np.packbits(bits.reshape(rows, -1).astype(np.bool_), axis=1).tobytes()

    @property
    def _place_bytes(self) -> int:
        bits = self._columns if self._as_bits else self._kept * self._place_bits
        return -(-bits // BYTE_BITS)


class RandomKCodec:
    """Columns drawn for each batch by the run's seed: sender and receiver know them, and no places are sent.

    Args:
        columns: of the matrix.
        fraction: of the columns that are kept, rounded up.
        bits: of a kept value: 32, or 8 with a range for each row.
        seed: of the run.
    """

    def __init__(self, columns: Columns, fraction: float, bits: int, seed: int) -> None:
        self._columns = columns.total
        self._kept = kept_columns(columns.total, fraction)
        self._bits = bits
        self._seed = seed

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """The values of the drawn columns."""
        return _encode_values(np.ascontiguousarray(matrix[:, self._chosen(position)]), self._bits)

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """The values in their columns."""
        matrix = np.zeros((rows, self._columns), np.float32)
        matrix[:, self._chosen(position)] = _decode_values(data, rows, self._kept, self._bits)
        return matrix

    def encoded_bytes(self, rows: int) -> int:
        """Of the values."""
        return _values_bytes(rows, self._kept, self._bits)

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """A dropped value is lost whole."""
        bound: npt.NDArray[np.float64] = np.abs(matrix.astype(np.float64))
        if self._bits == BYTE_BITS:
            bound = np.maximum(bound, rows_error_bound(matrix, self._bits))
        return bound

    def _chosen(self, position: int) -> npt.NDArray[np.int64]:
        return np.sort(permutation(self._seed, STREAM, position, self._columns)[: self._kept])


def kept_columns(columns: int, fraction: float) -> int:
    """How many columns a fraction above 0 and at most 1 keeps, at least one."""
    return math.ceil(columns * fraction)


def _largest(matrix: FloatArray, count: int) -> npt.NDArray[np.int64]:
    """Columns of so many of the largest values of each row, in no order."""
    return np.argpartition(-np.abs(matrix), count - 1, axis=1)[:, :count]


def _encode_values(values: FloatArray, bits: int) -> bytes:
    return encode_rows(values, bits) if bits == BYTE_BITS else np.ascontiguousarray(values, "<f4").tobytes()


def _decode_values(data: bytes, rows: int, columns: int, bits: int) -> FloatArray:
    if bits == BYTE_BITS:
        return decode_rows(data, rows, columns, bits)
    return np.frombuffer(data, "<f4").reshape(rows, columns)


def _values_bytes(rows: int, columns: int, bits: int) -> int:
    return rows_bytes(rows, columns, bits) if bits == BYTE_BITS else 4 * rows * columns
