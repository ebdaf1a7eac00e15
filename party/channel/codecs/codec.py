"""The interface of every codec."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from party.cut.hidden import FloatArray


class Codec(Protocol):
    """Encodes the matrix of a batch, float32 (rows, columns).

    The number of bytes follows from the number of rows alone: a length that depended on values would reveal something
    about them.
    """

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Encodes a matrix of finite values.

        Args:
            matrix: float32 (rows, columns).
            position: position of the batch in its schedule, the same at sender and receiver.
        """

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """Decodes a matrix.

        Args:
            data: exactly `encoded_bytes(rows)` bytes.
            rows: number of rows in the matrix.
            position: as for `encode`.

        Returns:
            float32 (rows, columns); not finite where no encoder produces such bytes.
        """

    def encoded_bytes(self, rows: int) -> int:
        """Number of bytes of an encoded matrix.

        Args:
            rows: number of rows.
        """

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """Largest difference between a value and its decoded value, float64 (rows, columns).

        Args:
            matrix: float32 (rows, columns), finite.
        """
