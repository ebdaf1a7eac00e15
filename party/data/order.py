"""The order of rows: a pure function of key, stream, epoch and row count, so that no row index crosses the wire."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np

from party.data.sorting import SORTED_TOGETHER, Order, Words, order_by_words

ORDER_KEY_BYTES = 32
_LABEL = b"vsl/1 order\0"
_INTEGER_BYTES = 8
_PHILOX_KEY_BYTES = 16
_DRAWN_TOGETHER = 1 << 20  # rows


def permutation(key: bytes, stream: str, epoch: int, rows: int) -> Order:
    """Orders rows by the raw output of Philox-4x64-10, which no version of NumPy changes.

    Args:
        key: 32 bytes; only the parties know the key of the order of rows.
        stream: purpose of the order; another name gives an independent order.
        epoch: number of the epoch, from 0.
        rows: number of rows.

    Returns:
        Row numbers from 0 to rows - 1, each once, int32, shape (rows,).

    Raises:
        ValueError: the key has another length.

    References:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
    """
    if len(key) != ORDER_KEY_BYTES:
        raise ValueError(f"an order needs a key of {ORDER_KEY_BYTES} bytes, not {len(key)}")
    digest = hashlib.sha256(_LABEL + key + stream.encode() + epoch.to_bytes(_INTEGER_BYTES, "little")).digest()
    philox_key = np.frombuffer(digest[:_PHILOX_KEY_BYTES], dtype="<u8").astype(np.uint64)
    if rows <= SORTED_TOGETHER:
        return np.argsort(np.random.Philox(key=philox_key).random_raw(rows), kind="stable").astype(np.int32)

    def numbers() -> Iterator[Words]:
        generator = np.random.Philox(key=philox_key)
        for start in range(0, rows, _DRAWN_TOGETHER):
            yield generator.random_raw(min(_DRAWN_TOGETHER, rows - start))[:, None]

    return order_by_words(numbers, rows)


def public_key(seed: int) -> bytes:
    """Makes the key of an order that everybody who knows the seed may know, because it reveals nothing about rows.

    Args:
        seed: the run's seed, from 0 to 2^64 - 1.

    Returns:
        32 bytes.
    """
    return seed.to_bytes(ORDER_KEY_BYTES, "little")


def hold_out(key: bytes, rows: int, fraction: float) -> tuple[Order, Order]:
    """Splits aligned rows into those to train on and those held out.

    Args:
        key: key of the run's order of rows, 32 bytes.
        rows: number of aligned rows.
        fraction: share to hold out, from 0 to 1; the count is rounded down.

    Returns:
        Training rows and held-out rows, each ascending, int32.
    """
    order = permutation(key, "hold out", 0, rows)
    held_out = math.floor(fraction * rows)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def pass_order(key: bytes, rows: Order) -> Order:
    """Shuffles rows that every pass without training reads in the same order.

    Args:
        key: key of the run's order of rows, 32 bytes.
        rows: aligned row numbers, int32, shape (rows,).

    Returns:
        The same row numbers, shuffled, int32, shape (rows,).
    """
    return rows[permutation(key, "pass", 0, len(rows))]


def epoch_order(key: bytes, epoch: int, training_rows: Order) -> Order:
    """Shuffles the training rows for an epoch.

    Args:
        key: key of the run's order of rows, 32 bytes.
        epoch: number of the epoch, from 0.
        training_rows: aligned row numbers, int32, shape (training rows,).

    Returns:
        The same row numbers, shuffled, int32, shape (training rows,).
    """
    return training_rows[permutation(key, "shuffle", epoch, len(training_rows))]
