"""One batch that a party received, and its record in a file."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from party.cut.hidden import FloatArray, Rows

# Position, epoch, whether it trains, rows and columns; all little-endian.
PREFIX = struct.Struct("<qiiii")
CHECK = struct.Struct("<I")
VALUE_BYTES = 4
LARGEST_BODY_BYTES = 1 << 31  # larger than any message: a damaged length must not claim the memory


@dataclass(frozen=True, kw_only=True)
class ReceivedBatch:
    """What one peer sent for one batch, decoded.

    Attributes:
        position: position of the exchange in the session's schedule.
        epoch: number of the epoch, from 0.
        trains: whether it is a batch of training.
        rows: row numbers in the common order, int32 (rows,).
        values: float32 (rows, columns).
    """

    position: int
    epoch: int
    trains: bool
    rows: Rows = field(repr=False)
    values: FloatArray = field(repr=False)

    def to_bytes(self) -> bytes:
        """The record of the batch: prefix, row numbers, values and a CRC-32 of all of them."""
        rows, columns = self.values.shape
        prefix = PREFIX.pack(self.position, self.epoch, int(self.trains), rows, columns)
        body = self.rows.astype("<i4").tobytes() + self.values.astype("<f4").tobytes()
        return prefix + body + CHECK.pack(zlib.crc32(prefix + body))


def read_batch(file: BinaryIO) -> ReceivedBatch | None:
    """Reads the next record of a file.

    Args:
        file: positioned at the beginning of a record, or at the end.

    Returns:
        The batch; None at the end, and where a crash left a record half written.
    """
    prefix = file.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    position, epoch, trains, rows, columns = PREFIX.unpack(prefix)
    body_bytes = VALUE_BYTES * rows * (1 + columns)
    if min(rows, columns) < 0 or body_bytes > LARGEST_BODY_BYTES:
        return None
    body, check = file.read(body_bytes), file.read(CHECK.size)
    if len(body) < body_bytes or check != CHECK.pack(zlib.crc32(prefix + body)):
        return None
    values = np.frombuffer(body, "<f4", offset=VALUE_BYTES * rows).reshape(rows, columns)
    numbers = np.frombuffer(body, "<i4", rows)
    return ReceivedBatch(position=position, epoch=epoch, trains=bool(trains), rows=numbers, values=values)
