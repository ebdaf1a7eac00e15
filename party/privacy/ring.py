"""Fixed-point numbers in a ring of 32 bits, in which the sum of all parties cannot overflow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from party.cut.hidden import FloatArray
from party.errors import TensorError

FRACTION_BITS = 16
INTEGER_BITS = 15  # besides the sign
SCALE = 2.0**FRACTION_BITS

RingArray = npt.NDArray[np.uint32]


class Ring:
    """Encodes values so that the values of several parties can be added modulo 2^32.

    A value is rounded to a multiple of 2^-16. Every party refuses values of 2^15 / parties and more, so that the sum
    of all parties has the integer range of int32, whatever they send.

    Args:
        parties: number of parties whose values are added.
    """

    def __init__(self, parties: int) -> None:
        self.bound = 2.0**INTEGER_BITS / parties

    def encode(self, values: FloatArray, where: str) -> RingArray:
        """Rounds values to fixed point.

        Args:
            values: float32, of any shape.
            where: what the values are, for errors.

        Returns:
            uint32 of the same shape: two's complement of the rounded values times 2^16.

        Raises:
            TensorError: a value is too large to be added up.
        """
        exact = values.astype(np.float64)  # float32 would round the bound
        if not (np.abs(exact) < self.bound).all():  # so that NaN is refused too
            raise TensorError(
                "holds values that are too large for a masked sum",
                where=where,
                expected=f"values below {self.bound:.0f} in size",
                fix="lower the learning rate, or train without training.secure_aggregation",
            )
        scaled = np.rint(exact * SCALE)
        return scaled.astype(np.int64).astype(np.uint32)

    @staticmethod
    def decode(total: RingArray) -> FloatArray:
        """Converts fixed point, a single value or a sum, to float32 of the same shape.

        Args:
            total: uint32, modulo 2^32.
        """
        return total.view(np.int32).astype(np.float32) * np.float32(1.0 / SCALE)
