"""What every codec offers, and which columns it treats alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
NARROW_UNITS = 4  # a tensor of fewer columns has no range of its own worth sending for every row


@dataclass(frozen=True)
class Columns:
    """The columns of a batch's matrix: all hiddens of a party side by side.

    Attributes:
        total: how many.
        wide: those of tensors with enough columns for a range of their own in every row.
        narrow: the others.
    """

    total: int
    wide: npt.NDArray[np.int64]
    narrow: npt.NDArray[np.int64]


def columns_of(units: Sequence[int]) -> Columns:
    """The columns of tensors side by side.

    Args:
        units: width of each tensor, in order.
    """
    is_wide = np.repeat([width >= NARROW_UNITS for width in units], units)
    return Columns(int(sum(units)), np.flatnonzero(is_wide), np.flatnonzero(~is_wide))


class Codec(Protocol):
    """Encodes the matrix of a batch, float32 (rows, columns).

    The number of bytes follows from the number of rows alone: a length that depended on values would tell of them.
    """

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """The bytes of a matrix of finite values.

        Args:
            matrix: float32 (rows, columns).
            position: of the batch in its schedule, the same at sender and receiver.
        """

    def decode(self, data: bytes, rows: int, position: int) -> FloatArray:
        """What the receiver takes the bytes for.

        Args:
            data: exactly `encoded_bytes(rows)`.
            rows: of the matrix.
            position: as for `encode`.

        Returns:
            float32 (rows, columns); not finite where the bytes were made up.
        """

    def encoded_bytes(self, rows: int) -> int:
        """Length of an encoded matrix."""

    def error_bound(self, matrix: FloatArray) -> npt.NDArray[np.float64]:
        """How far each value may come out from what it was, float64 (rows, columns)."""
