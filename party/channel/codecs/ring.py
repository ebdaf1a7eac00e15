"""The encoding of masked sums: fixed-point numbers that add up modulo 2^32."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout
from party.privacy.ring import SCALE, Ring, RingArray

VALUE_BYTES = 4


class RingCodec:
    """Little-endian uint32 in C order, in two's complement.

    Args:
        layout: column layout of the matrix.
        ring: fixed-point numbers of all parties of the sum.
    """

    def __init__(self, layout: CutLayout, ring: Ring) -> None:
        self._columns = layout.columns
        self._ring = ring

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Encodes four bytes per value; refuses values that could overflow the sum."""
        return ring_bytes(self._ring.encode(matrix, f"own tensors of exchange {position}"))

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """Decodes to float32."""
        return self._ring.decode(ring_array(data, rows, self._columns))

    def encoded_bytes(self, rows: int) -> int:
        """Four bytes per value."""
        return VALUE_BYTES * rows * self._columns

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """Half a unit in the last place of fixed point."""
        return np.full(matrix.shape, 0.5 / SCALE)


def ring_array(data: bytes, rows: int, columns: int) -> RingArray:
    """The matrix of some bytes, uint32 (rows, columns).

    Args:
        data: as `RingCodec.encode` makes them.
        rows: number of rows in the matrix.
        columns: number of columns in the matrix.
    """
    return np.frombuffer(data, "<u4").reshape(rows, columns)


def ring_bytes(matrix: RingArray) -> bytes:
    """The bytes of a matrix, uint32 (rows, columns): four per value, little-endian in C order."""
    return np.ascontiguousarray(matrix, "<u4").tobytes()
