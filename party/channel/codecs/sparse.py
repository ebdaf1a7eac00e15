"""Sparse codecs: they send some values of every row; the others are decoded as zero."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from party.channel.codecs.affine import decode_rows, encode_rows, rows_bytes, rows_error_bound
from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout
from party.data.order import permutation, public_key

BYTE_BITS = 8
STREAM = "randomk"
BLOCK_ROWS = 1024  # the buffers of a block fit into the processor cache, and the allocator reuses their memory


class TopKCodec:
    """The largest values of each row by magnitude, with their columns.

    Places are encoded as one bit per column or one number per value, whichever takes fewer bytes for this shape.

    Args:
        layout: column layout of the matrix.
        fraction: fraction of the columns that are sent, rounded up.
        bits: bits of a sent value: 32, or 8 with a range for each row.
    """

    def __init__(self, layout: CutLayout, fraction: float, bits: int) -> None:
        self._columns = layout.columns
        self._selected = selected_columns(layout.columns, fraction)
        self._bits = bits
        self._place_bits = max(1, math.ceil(math.log2(max(2, layout.columns))))
        self._as_bits = self._columns <= self._selected * self._place_bits

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Encodes the places, then the values by ascending place."""
        blocks = [matrix[start : start + BLOCK_ROWS] for start in range(0, max(1, len(matrix)), BLOCK_ROWS)]
        chosen = [np.sort(_largest(block, self._selected), axis=1) for block in blocks]
        places = b"".join(self._pack(one) for one in chosen)
        return places + _encode_values(np.take_along_axis(matrix, np.concatenate(chosen), axis=1), self._bits)

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """Decodes the values into their places; NaN where the places are invalid."""
        split = rows * self._place_bytes
        packed = np.frombuffer(data, np.uint8, split).reshape(rows, self._place_bytes)
        values = _decode_values(data[split:], rows, self._selected, self._bits)
        matrix = np.zeros((rows, self._columns), np.float32)
        if self._as_bits:
            mask = np.unpackbits(packed, axis=1, count=self._columns).astype(np.bool_)
            if (mask.sum(axis=1) != self._selected).any():
                return np.full_like(matrix, np.nan)
            matrix[mask] = values.reshape(-1)
            return matrix
        bits = np.unpackbits(packed, axis=1, count=self._selected * self._place_bits)
        weights = 1 << np.arange(self._place_bits)
        chosen = (bits.reshape(rows, self._selected, self._place_bits) * weights).sum(axis=2)
        ascending = (np.diff(chosen, axis=1) > 0).all() and (chosen < self._columns).all()
        if not ascending:
            return np.full_like(matrix, np.nan)
        np.put_along_axis(matrix, chosen, values, axis=1)
        return matrix

    def encoded_bytes(self, rows: int) -> int:
        """Number of bytes of the places and the values."""
        return rows * self._place_bytes + _values_bytes(rows, self._selected, self._bits)

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """A dropped value is lost: its magnitude is at most that of the smallest selected one."""
        size: npt.NDArray[np.float64] = np.abs(matrix.astype(np.float64))
        threshold = np.sort(size, axis=1)[:, -self._selected][:, None]
        dropped: npt.NDArray[np.float64] = size * (size <= threshold)
        if self._bits == BYTE_BITS:
            chosen = _largest(matrix, self._selected)
            selected = rows_error_bound(np.take_along_axis(matrix, chosen, axis=1), self._bits).max(
                axis=1, keepdims=True
            )
            dropped = np.maximum(dropped, selected)
        return dropped

    def _pack(self, chosen: npt.NDArray[np.int64]) -> bytes:
        rows = len(chosen)
        if self._as_bits:
            mask = np.zeros((rows, self._columns), np.bool_)
            np.put_along_axis(mask, chosen, True, axis=1)
            return np.packbits(mask, axis=1).tobytes()
        bits = (chosen[:, :, None] >> np.arange(self._place_bits)) & 1
        return np.packbits(bits.reshape(rows, self._selected * self._place_bits).astype(np.bool_), axis=1).tobytes()

    @property
    def _place_bytes(self) -> int:
        bits = self._columns if self._as_bits else self._selected * self._place_bits
        return -(-bits // BYTE_BITS)


class RandomKCodec:
    """Sends columns drawn for each batch from the run's seed; both ends derive them, so no places are sent.

    Args:
        layout: column layout of the matrix.
        fraction: fraction of the columns that are sent, rounded up.
        bits: bits of a sent value: 32, or 8 with a range for each row.
        seed: the run's seed; the drawn columns reveal nothing about rows, so the coordinator may know them.
    """

    def __init__(self, layout: CutLayout, fraction: float, bits: int, *, seed: int) -> None:
        self._columns = layout.columns
        self._selected = selected_columns(layout.columns, fraction)
        self._bits = bits
        self._key = public_key(seed)

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Encodes the values of the drawn columns."""
        return _encode_values(np.ascontiguousarray(matrix[:, self._chosen(position)]), self._bits)

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """Decodes the values into the drawn columns."""
        matrix = np.zeros((rows, self._columns), np.float32)
        matrix[:, self._chosen(position)] = _decode_values(data, rows, self._selected, self._bits)
        return matrix

    def encoded_bytes(self, rows: int) -> int:
        """Number of bytes of the values."""
        return _values_bytes(rows, self._selected, self._bits)

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """The whole magnitude of a dropped value."""
        bound: npt.NDArray[np.float64] = np.abs(matrix.astype(np.float64))
        if self._bits == BYTE_BITS:
            bound = np.maximum(bound, rows_error_bound(matrix, self._bits))
        return bound

    def _chosen(self, position: int) -> npt.NDArray[np.int32]:
        return np.sort(permutation(self._key, STREAM, position, self._columns)[: self._selected])


def selected_columns(columns: int, fraction: float) -> int:
    """How many columns a fraction above 0 and at most 1 selects, at least one.

    Args:
        columns: number of columns.
        fraction: share of them, above 0 and at most 1.
    """
    return math.ceil(columns * fraction)


def _largest(matrix: FloatArray, count: int) -> npt.NDArray[np.int64]:
    """Columns of the `count` largest values of each row by magnitude, unordered."""
    return np.argpartition(-np.abs(matrix), count - 1, axis=1)[:, :count]


def _encode_values(values: FloatArray, bits: int) -> bytes:
    return encode_rows(values, bits) if bits == BYTE_BITS else np.ascontiguousarray(values, "<f4").tobytes()


def _decode_values(data: bytes, rows: int, columns: int, bits: int) -> FloatArray:
    if bits == BYTE_BITS:
        return decode_rows(data, rows, columns, bits)
    return np.frombuffer(data, "<f4").reshape(rows, columns)


def _values_bytes(rows: int, columns: int, bits: int) -> int:
    return rows_bytes(rows, columns, bits) if bits == BYTE_BITS else 4 * rows * columns
