"""Two folds of a party's rows, with equal own rows in one fold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from party.audit.meters.separation import Flags

LEAST_OWN_ROWS = 32  # fewer differ by little but the column itself: then rows are split, whatever they hold
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # of splitmix64
_MIXERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def own_row_folds(indices: npt.NDArray[np.int32], values: npt.NDArray[np.float32]) -> Flags:
    """Draws the folds.

    Args:
        indices: encoded features, int32 (rows, slots).
        values: encoded features, float32 (rows, slots).

    Returns:
        The fold of each row, bool (rows,).

    Reference:
        Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014: the mixing function.
    """
    hashed = np.zeros(len(indices), np.uint64)
    for column in (*indices.T, *np.ascontiguousarray(values).view(np.int32).T):
        hashed = (hashed + column.astype(np.uint32)) * _MULTIPLIER
    if len(np.unique(hashed)) < LEAST_OWN_ROWS:
        hashed = np.arange(1, len(indices) + 1, dtype=np.uint64) * _MULTIPLIER
    for shift, mixer in zip(_SHIFTS, _MIXERS, strict=False):
        hashed = (hashed ^ (hashed >> shift)) * mixer
    hashed ^= hashed >> _SHIFTS[-1]
    folds: Flags = (hashed & np.uint64(1)).astype(np.bool_)
    return folds
