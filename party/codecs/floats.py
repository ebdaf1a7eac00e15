"""Floating-point numbers: as they are, or shorter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from party.codecs.codec import Columns, FloatArray

LARGEST_FLOAT16 = np.float32(np.finfo(np.float16).max)
SMALLEST_FLOAT16_STEP = 2.0**-24
FLOAT16_RELATIVE_ERROR = 2.0**-11
BFLOAT16_RELATIVE_ERROR = 2.0**-8
BFLOAT16_BITS = 16
SMALLEST_FLOAT32_STEP = 2.0**-133  # of bfloat16, among numbers too small for its full precision


class Float32Codec:
    """Values as they are.

    Args:
        columns: of the matrix.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns.total

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Four bytes a value, little-endian in C order."""
        return np.ascontiguousarray(matrix, "<f4").tobytes()

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """A read-only view of the bytes."""
        return np.frombuffer(data, "<f4").reshape(rows, self._columns)

    def encoded_bytes(self, rows: int) -> int:
        """Four bytes a value."""
        return 4 * rows * self._columns

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """Zero everywhere: nothing is lost."""
        return np.zeros(matrix.shape)


class Float16Codec:
    """IEEE half precision; what lies beyond its range becomes its largest number.

    Args:
        columns: of the matrix.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns.total

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Two bytes a value."""
        return np.clip(matrix, -LARGEST_FLOAT16, LARGEST_FLOAT16).astype("<f2").tobytes()

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """The numbers in single precision."""
        return np.frombuffer(data, "<f2").reshape(rows, self._columns).astype(np.float32)

    def encoded_bytes(self, rows: int) -> int:
        """Two bytes a value."""
        return 2 * rows * self._columns

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """Half a unit in the last of 11 bits, and whatever lies beyond the range."""
        size = np.abs(matrix.astype(np.float64))
        beyond = np.maximum(0.0, size - float(LARGEST_FLOAT16))
        return np.maximum(size * FLOAT16_RELATIVE_ERROR, SMALLEST_FLOAT16_STEP) + beyond


class BFloat16Codec:
    """The upper half of single precision, rounded to nearest: its whole range, 8 bits of precision.

    Args:
        columns: of the matrix.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns.total

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Two bytes a value."""
        return to_bfloat16(matrix).tobytes()

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """The numbers in single precision."""
        return from_bfloat16(np.frombuffer(data, "<u2")).reshape(rows, self._columns)

    def encoded_bytes(self, rows: int) -> int:
        """Two bytes a value."""
        return 2 * rows * self._columns

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """Half a unit in the last of 8 bits; a whole one where rounding up would leave the range."""
        return np.abs(matrix.astype(np.float64)) * BFLOAT16_RELATIVE_ERROR + SMALLEST_FLOAT32_STEP


def to_bfloat16(values: FloatArray, up: bool = False) -> npt.NDArray[np.uint16]:
    """The upper halves of float32 bits.

    Args:
        values: finite.
        up: away from zero, in place of to nearest with ties to even.

    Returns:
        uint16 little-endian, the same shape; the largest finite number where rounding would give infinity.
    """
    bits = np.ascontiguousarray(values, "<f4").view("<u4")
    half = np.uint32(0xFFFF) if up else np.uint32(0x7FFF) + ((bits >> np.uint32(BFLOAT16_BITS)) & np.uint32(1))
    rounded = ((bits + half) >> np.uint32(BFLOAT16_BITS)).astype("<u2")
    infinite = (rounded & np.uint16(0x7FFF)) == np.uint16(0x7F80)
    return np.where(infinite, rounded - np.uint16(1), rounded).astype("<u2")


def from_bfloat16(halves: npt.NDArray[np.uint16]) -> FloatArray:
    """Single precision whose lower half is zero, the same shape."""
    return (halves.astype("<u4") << np.uint32(BFLOAT16_BITS)).view("<f4").astype(np.float32, copy=False)
