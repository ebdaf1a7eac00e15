"""The order of rows: a pure function of seed, stream, epoch and row count, so that no row index crosses the wire."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

_LABEL = b"vsl/1 order\0"
_INTEGER_BYTES = 8
_KEY_BYTES = 16


def permutation(seed: int, stream: str, epoch: int, rows: int) -> NDArray[np.int64]:
    """Orders rows by the raw output of Philox-4x64-10, which no version of NumPy changes.

    Args:
        seed: the run's shared seed, from 0 to 2^64 - 1.
        stream: what the order is for; another name gives an independent order.
        epoch: number of the epoch, from 0.
        rows: how many rows.

    Returns:
        Row numbers from 0 to rows - 1, each once, int64, shape (rows,).

    References:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
    """
    numbers = [number.to_bytes(_INTEGER_BYTES, "little") for number in (seed, epoch)]
    digest = hashlib.sha256(_LABEL + numbers[0] + stream.encode() + numbers[1]).digest()
    generator = np.random.Philox(key=np.frombuffer(digest[:_KEY_BYTES], dtype="<u8").astype(np.uint64))
    return np.argsort(generator.random_raw(rows), kind="stable").astype(np.int64, copy=False)


def hold_out(seed: int, rows: int, fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Splits aligned rows into those to train on and those held out.

    Args:
        seed: the run's shared seed.
        rows: how many aligned rows.
        fraction: share to hold out, from 0 to 1; the count is rounded down.

    Returns:
        Training rows and held-out rows, each ascending, int64.
    """
    order = permutation(seed, "hold out", 0, rows)
    held_out = math.floor(fraction * rows)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def epoch_order(seed: int, epoch: int, training_rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order in which an epoch visits the training rows.

    Args:
        seed: the run's shared seed.
        epoch: number of the epoch, from 0.
        training_rows: aligned row numbers, int64, shape (training rows,).

    Returns:
        The same row numbers, shuffled, int64, shape (training rows,).
    """
    return training_rows[permutation(seed, "shuffle", epoch, len(training_rows))]
