"""The order of rows: a pure function of key, stream, epoch and row count, so that no row index crosses the wire."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

ORDER_KEY_BYTES = 32
_LABEL = b"vsl/1 order\0"
_INTEGER_BYTES = 8
_PHILOX_KEY_BYTES = 16


def permutation(key: bytes, stream: str, epoch: int, rows: int) -> NDArray[np.int64]:
    """Orders rows by the raw output of Philox-4x64-10, which no version of NumPy changes.

    Args:
        key: 32 bytes; only the parties know the key of the order of rows.
        stream: purpose of the order; another name gives an independent order.
        epoch: number of the epoch, from 0.
        rows: number of rows.

    Returns:
        Row numbers from 0 to rows - 1, each once, int64, shape (rows,).

    Raises:
        ValueError: the key has another length.

    References:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
    """
    if len(key) != ORDER_KEY_BYTES:
        raise ValueError(f"an order needs a key of {ORDER_KEY_BYTES} bytes, not {len(key)}")
    digest = hashlib.sha256(_LABEL + key + stream.encode() + epoch.to_bytes(_INTEGER_BYTES, "little")).digest()
    generator = np.random.Philox(key=np.frombuffer(digest[:_PHILOX_KEY_BYTES], dtype="<u8").astype(np.uint64))
    return np.argsort(generator.random_raw(rows), kind="stable").astype(np.int64, copy=False)


def public_key(seed: int) -> bytes:
    """Makes the key of an order that everybody who knows the seed may know, because it reveals nothing about rows.

    Args:
        seed: the run's seed, from 0 to 2^64 - 1.

    Returns:
        32 bytes.
    """
    return seed.to_bytes(ORDER_KEY_BYTES, "little")


def hold_out(key: bytes, rows: int, fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Splits aligned rows into those to train on and those held out.

    Args:
        key: key of the run's order of rows, 32 bytes.
        rows: number of aligned rows.
        fraction: share to hold out, from 0 to 1; the count is rounded down.

    Returns:
        Training rows and held-out rows, each ascending, int64.
    """
    order = permutation(key, "hold out", 0, rows)
    held_out = math.floor(fraction * rows)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def pass_order(key: bytes, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shuffles rows that every pass without training reads in the same order.

    Args:
        key: key of the run's order of rows, 32 bytes.
        rows: aligned row numbers, int64, shape (rows,).

    Returns:
        The same row numbers, shuffled, int64, shape (rows,).
    """
    return rows[permutation(key, "pass", 0, len(rows))]


def epoch_order(key: bytes, epoch: int, training_rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shuffles the training rows for an epoch.

    Args:
        key: key of the run's order of rows, 32 bytes.
        epoch: number of the epoch, from 0.
        training_rows: aligned row numbers, int64, shape (training rows,).

    Returns:
        The same row numbers, shuffled, int64, shape (training rows,).
    """
    return training_rows[permutation(key, "shuffle", epoch, len(training_rows))]
