"""Affine quantisation to 8 or 4 bits, with an offset and a step for every row.

For values x of a row with smallest value o: q = round((x - o) / s) from 0 to
2^b - 1, decoded as o + s q. The offset is exact, so that values far from zero
keep their differences, and a row of equal values is decoded exactly, whatever
they are. The step is rounded up to bfloat16, so that the largest value is
reached.

Columns of narrow tensors, for which a range in every row would cost too much,
have one offset and step for each column of the batch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from party.channel.codecs.floats import from_bfloat16, to_bfloat16
from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout

RANGE_BYTES = 6  # an offset of 4 bytes, a step of 2
BYTE_BITS = 8
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
HALF_OF_LARGEST = LARGEST_FLOAT32 / 2  # below it no difference of two numbers exceeds the range of float32
ROUNDING = 2.0**-21  # of float32 sums around an offset, relative to its size


class AffineCodec:
    """Quantises values to integers of a given number of bits.

    Args:
        layout: column layout of the matrix.
        bits: 8 or 4.
    """

    def __init__(self, layout: CutLayout, bits: int) -> None:
        self._layout = layout
        self._bits = bits

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Encodes the wide columns row by row, then the narrow ones column by column."""
        wide = encode_rows(matrix[:, self._layout.wide], self._bits)
        return wide + encode_rows(np.ascontiguousarray(matrix[:, self._layout.narrow].T), self._bits)

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """Decodes both parts into their columns."""
        wide, narrow = len(self._layout.wide), len(self._layout.narrow)
        split = rows_bytes(rows, wide, self._bits)
        matrix = np.empty((rows, self._layout.columns), np.float32)
        matrix[:, self._layout.wide] = decode_rows(data[:split], rows, wide, self._bits)
        matrix[:, self._layout.narrow] = decode_rows(data[split:], narrow, rows, self._bits).T
        return matrix

    def encoded_bytes(self, rows: int) -> int:
        """Length of both encoded parts."""
        wide, narrow = len(self._layout.wide), len(self._layout.narrow)
        return rows_bytes(rows, wide, self._bits) + rows_bytes(narrow, rows, self._bits)

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """Half a step, and the rounding of single precision."""
        bound = np.zeros(matrix.shape, np.float64)
        bound[:, self._layout.wide] = rows_error_bound(matrix[:, self._layout.wide], self._bits)
        bound[:, self._layout.narrow] = rows_error_bound(matrix[:, self._layout.narrow].T, self._bits).T
        return bound


def encode_rows(matrix: FloatArray, bits: int) -> bytes:
    """Encodes a matrix row by row: float32 offsets, bfloat16 steps, then the packed integers.

    Args:
        matrix: float32 (rows, columns), finite.
        bits: bits of an encoded integer, 8 or 4.

    Returns:
        `rows_bytes` bytes; none for an empty matrix.
    """
    if matrix.size == 0:
        return b""
    lowest, steps = _ranges(matrix, bits)
    kind = _number_type(matrix)
    divisors = np.where(steps > 0, from_bfloat16(steps), np.float32(1))[:, None].astype(kind)
    quotients: npt.NDArray[np.floating] = np.subtract(matrix, lowest[:, None], dtype=kind)
    quotients /= divisors
    np.rint(quotients, out=quotients)
    numbers = np.minimum(quotients, _levels(bits), out=quotients).astype(np.uint8)
    return lowest.astype("<f4").tobytes() + steps.tobytes() + _pack(numbers, bits)


def decode_rows(data: bytes, rows: int, columns: int, bits: int) -> FloatArray:
    """Decodes what `encode_rows` encoded.

    Args:
        data: exactly `rows_bytes(rows, columns, bits)` bytes.
        rows: number of rows.
        columns: number of columns.
        bits: bits of an encoded integer, 8 or 4.

    Returns:
        float32 (rows, columns); all NaN where an offset or a step is not finite.
    """
    if rows * columns == 0:
        return np.empty((rows, columns), np.float32)
    lowest = np.frombuffer(data, "<f4", rows)
    steps = from_bfloat16(np.frombuffer(data, "<u2", rows, offset=4 * rows))
    numbers = _unpack(np.frombuffer(data, np.uint8, offset=RANGE_BYTES * rows), rows, columns, bits)
    if not (np.isfinite(lowest).all() and np.isfinite(steps).all()):
        return np.full((rows, columns), np.nan, np.float32)
    if max(float(np.abs(lowest).max()), _levels(bits) * float(np.abs(steps).max())) < HALF_OF_LARGEST:
        values = numbers.astype(np.float32)
        values *= steps[:, None]
        values += lowest[:, None]
        return values
    wide = lowest[:, None].astype(np.float64) + steps[:, None].astype(np.float64) * numbers
    # As steps are rounded up, the largest value may be decoded to one beyond the range of float32.
    return np.clip(wide, -LARGEST_FLOAT32, LARGEST_FLOAT32).astype(np.float32)


def rows_bytes(rows: int, columns: int, bits: int) -> int:
    """Number of bytes that `encode_rows` returns.

    Args:
        rows: number of rows.
        columns: number of columns.
        bits: bits of an encoded integer, 8 or 4.
    """
    return rows * (RANGE_BYTES + -(-columns * bits // BYTE_BITS)) if columns else 0


def rows_error_bound(matrix: FloatArray, bits: int) -> npt.NDArray[np.float64]:
    """Largest difference between a value and its decoded value, float64 (rows, columns).

    Args:
        matrix: float32 (rows, columns), finite.
        bits: bits of an encoded integer, 8 or 4.
    """
    if matrix.size == 0:
        return np.zeros(matrix.shape, np.float64)
    lowest, steps = _ranges(matrix, bits)
    half_step = from_bfloat16(steps).astype(np.float64)[:, None] / 2
    size = np.abs(matrix.astype(np.float64)).max(axis=1, keepdims=True)
    varies = (matrix.max(axis=1) > lowest)[:, None]
    return np.broadcast_to(np.where(varies, half_step + size * ROUNDING, 0.0), matrix.shape)


def _ranges(matrix: FloatArray, bits: int) -> tuple[FloatArray, npt.NDArray[np.uint16]]:
    lowest, highest = matrix.min(axis=1), matrix.max(axis=1)
    span = highest.astype(np.float64) - lowest
    # A step that float32 cannot represent would be lost: none is smaller than the smallest subnormal.
    smallest = float(np.finfo(np.float32).smallest_subnormal)
    steps = np.where(span > 0, np.maximum(span / _levels(bits), smallest), 0.0)
    return lowest, to_bfloat16(np.minimum(steps, LARGEST_FLOAT32).astype(np.float32), up=True)


def _number_type(matrix: FloatArray) -> npt.DTypeLike:
    return np.float32 if max(float(matrix.max()), -float(matrix.min())) < HALF_OF_LARGEST else np.float64


def _levels(bits: int) -> int:
    return (1 << bits) - 1


def _pack(numbers: npt.NDArray[np.uint8], bits: int) -> bytes:
    if bits == BYTE_BITS:
        return numbers.tobytes()
    if numbers.shape[1] % 2:
        numbers = np.pad(numbers, ((0, 0), (0, 1)))
    return (numbers[:, 0::2] | (numbers[:, 1::2] << np.uint8(bits))).astype(np.uint8).tobytes()


def _unpack(packed: npt.NDArray[np.uint8], rows: int, columns: int, bits: int) -> npt.NDArray[np.uint8]:
    if bits == BYTE_BITS:
        return packed.reshape(rows, columns)
    pairs = packed.reshape(rows, -1)
    numbers = np.empty((rows, 2 * pairs.shape[1]), np.uint8)
    numbers[:, 0::2] = pairs & np.uint8(_levels(bits))
    numbers[:, 1::2] = pairs >> np.uint8(bits)
    return numbers[:, :columns]
