"""Floating-point codecs: float32, float16 and bfloat16."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout

LARGEST_FLOAT16 = np.float32(np.finfo(np.float16).max)
SMALLEST_FLOAT16_STEP = 2.0**-24
FLOAT16_RELATIVE_ERROR = 2.0**-11
BFLOAT16_RELATIVE_ERROR = 2.0**-8
BFLOAT16_BITS = 16
SMALLEST_FLOAT32_STEP = 2.0**-133  # between bfloat16 numbers too small for full precision


class Float32Codec:
    """Lossless float32.

    Args:
        layout: column layout of the matrix.
    """

    def __init__(self, layout: CutLayout) -> None:
        self._columns = layout.columns

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Encodes four bytes per value, little-endian in C order."""
        return np.ascontiguousarray(matrix, "<f4").tobytes()

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """Returns a read-only view of the bytes."""
        return np.frombuffer(data, "<f4").reshape(rows, self._columns)

    def encoded_bytes(self, rows: int) -> int:
        """Four bytes per value."""
        return 4 * rows * self._columns

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """Zero everywhere: nothing is lost."""
        return np.zeros(matrix.shape)


class Float16Codec:
    """IEEE half precision; values beyond its range are clipped to it.

    Args:
        layout: column layout of the matrix.
    """

    def __init__(self, layout: CutLayout) -> None:
        self._columns = layout.columns

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Two bytes per value."""
        return np.clip(matrix, -LARGEST_FLOAT16, LARGEST_FLOAT16).astype("<f2").tobytes()

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """Decodes to float32."""
        return np.frombuffer(data, "<f2").reshape(rows, self._columns).astype(np.float32)

    def encoded_bytes(self, rows: int) -> int:
        """Two bytes per value."""
        return 2 * rows * self._columns

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """Half a unit in the last of 11 bits, and what clipping removes."""
        size = np.abs(matrix.astype(np.float64))
        beyond = np.maximum(0.0, size - float(LARGEST_FLOAT16))
        return np.maximum(size * FLOAT16_RELATIVE_ERROR, SMALLEST_FLOAT16_STEP) + beyond


class BFloat16Codec:
    """bfloat16, rounded to nearest: the whole range of float32 with 8 bits of precision.

    Args:
        layout: column layout of the matrix.
    """

    def __init__(self, layout: CutLayout) -> None:
        self._columns = layout.columns

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Two bytes per value."""
        return to_bfloat16(matrix).tobytes()

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """Decodes to float32."""
        return from_bfloat16(np.frombuffer(data, "<u2")).reshape(rows, self._columns)

    def encoded_bytes(self, rows: int) -> int:
        """Two bytes per value."""
        return 2 * rows * self._columns

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """Half a unit in the last of 8 bits; a whole one where rounding up would leave the range."""
        return np.abs(matrix.astype(np.float64)) * BFLOAT16_RELATIVE_ERROR + SMALLEST_FLOAT32_STEP


def to_bfloat16(values: FloatArray, up: bool = False) -> npt.NDArray[np.uint16]:
    """Converts float32 to bfloat16.

    Args:
        values: finite float32 values.
        up: whether to round away from zero instead of to nearest, ties to even.

    Returns:
        uint16 little-endian, the same shape; the largest finite number where rounding would give infinity.
    """
    bits = np.ascontiguousarray(values, "<f4").view("<u4")
    half = np.uint32(0xFFFF) if up else np.uint32(0x7FFF) + ((bits >> np.uint32(BFLOAT16_BITS)) & np.uint32(1))
    rounded = ((bits + half) >> np.uint32(BFLOAT16_BITS)).astype("<u2")
    infinite = (rounded & np.uint16(0x7FFF)) == np.uint16(0x7F80)
    return np.where(infinite, rounded - np.uint16(1), rounded).astype("<u2")


def from_bfloat16(halves: npt.NDArray[np.uint16]) -> FloatArray:
    """Converts bfloat16, uint16, to float32 of the same shape.

    Args:
        halves: bfloat16 values as uint16, little-endian.
    """
    return (halves.astype("<u4") << np.uint32(BFLOAT16_BITS)).view("<f4").astype(np.float32, copy=False)
