"""The text of each value of a typed column: numbers, times and UUIDs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from party.data.values.distinct import EMPTY, TEXT, as_texts
from party.data.values.notations import canonical, without_midnight, without_needless_zeros
from party.data.values.types import UUID_BYTES, is_uuid

# From here on not every whole number has a float of its own, by the number of bytes of a float.
EXACT_BELOW = {2: 2.0**11, 4: 2.0**24, 8: 2.0**53}

_DIGITS_OF_SECOND = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_MOST_DIGITS = 19  # of 64 bits
_HEXADECIMAL = np.frombuffer("".join(f"{one:02x}" for one in range(256)).encode(), np.uint8).reshape(256, 2)
_DASHES = (8, 13, 18, 23)
_UUID_CHARACTERS = 36


def typed_texts(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """The text of each value of a column that does not hold texts.

    Args:
        values: distinct values, as `DistinctValues` has them.
        kind: their plain type.

    Returns:
        large_string without nulls; empty for a null and for a number that is none.
    """
    if is_uuid(kind):
        return _uuid_texts(values)
    if pa.types.is_boolean(kind):
        return compute.fill_null(compute.if_else(values, pa.scalar("1", TEXT), pa.scalar("0", TEXT)), EMPTY)
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        return _temporal_texts(values, kind)
    return canonical(_number_texts(values, kind))


def _number_texts(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_floating(kind):
        return _float_texts(values)
    return as_texts(_seconds(values, kind) if pa.types.is_duration(kind) else values)


def _temporal_texts(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Dates, times, and timestamps: those with a zone in UTC, with a Z behind."""
    if not pa.types.is_timestamp(kind):
        return without_needless_zeros(as_texts(values))
    if kind.tz is None:
        return without_midnight(without_needless_zeros(as_texts(values)))
    # Without its zone a timestamp is in UTC.
    texts = without_needless_zeros(as_texts(values.cast(pa.timestamp(kind.unit))))
    zoned = compute.binary_join_element_wise(texts, pa.scalar("Z", TEXT), pa.scalar(EMPTY, TEXT))
    return compute.if_else(compute.equal(texts, EMPTY), texts, zoned)


def whole_numbers(values: pa.Array) -> NDArray[np.bool_]:
    """Whether a float is a whole number that no other number shares it with, for each; nulls are none.

    Args:
        values: floats.
    """
    numbers = values.to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        small = np.abs(numbers) < EXACT_BELOW[numbers.dtype.itemsize]
        return np.asarray(small & (numbers == np.trunc(numbers)))


def is_missing(values: pa.Array) -> NDArray[np.bool_]:
    """Whether a float is null or no number, for each.

    Args:
        values: floats.
    """
    return np.asarray(np.isnan(values.to_numpy(zero_copy_only=False)))


def whole_texts(values: pa.Array) -> pa.Array:
    """The whole numbers among floats as digits, large_string; anything else as the empty text.

    Args:
        values: floats.
    """
    numbers = values.to_numpy(zero_copy_only=False)
    whole = whole_numbers(values)
    digits = np.where(whole, numbers, 0).astype(np.int64)
    return compute.if_else(pa.array(whole), pa.array(digits).cast(TEXT), pa.scalar(EMPTY, TEXT))


def _float_texts(values: pa.Array) -> pa.Array:
    """The shortest decimal notation that gives each float back in its type."""
    if pa.types.is_float16(values.type):
        # Arrow has the notation of the wider type; there are few floats of 16 bits.
        numbers = values.to_numpy(zero_copy_only=False)
        texts = pa.array([np.format_float_positional(one, unique=True, trim="-") for one in numbers], TEXT)
    else:
        # Whole numbers by themselves: Arrow writes some with an exponent, which takes far longer to rewrite.
        whole = whole_texts(values)
        texts = compute.if_else(compute.equal(whole, EMPTY), as_texts(values), whole)
    return compute.if_else(pa.array(is_missing(values)), pa.scalar(EMPTY, TEXT), texts)


def _uuid_texts(values: pa.Array) -> pa.Array:
    """The 8-4-4-4-12 digits of each UUID, in lower case.

    Args:
        values: fixed_size_binary(16).
    """
    first, size = values.offset * UUID_BYTES, len(values) * UUID_BYTES
    content = np.frombuffer(values.buffers()[1] or b"", np.uint8)[first : first + size]
    digits = _HEXADECIMAL[content].reshape(-1, 2 * UUID_BYTES)
    places = np.setdiff1d(np.arange(_UUID_CHARACTERS), _DASHES)
    characters = np.full((len(values), _UUID_CHARACTERS), ord("-"), np.uint8)
    characters[:, places] = digits
    offsets = np.arange(len(values) + 1, dtype=np.int64) * _UUID_CHARACTERS
    texts = pa.LargeStringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(characters.tobytes()))
    return compute.if_else(compute.is_null(values), pa.scalar(EMPTY, TEXT), texts)


def _seconds(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Durations as decimal numbers of seconds: the same integers, read with a scale."""
    numbers = values.cast(pa.int64()).cast(pa.decimal128(_MOST_DIGITS, 0))
    scaled = pa.decimal128(_MOST_DIGITS, _DIGITS_OF_SECOND[kind.unit])
    return pa.Array.from_buffers(scaled, len(numbers), numbers.buffers(), offset=numbers.offset)
