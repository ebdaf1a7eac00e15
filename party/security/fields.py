"""Counts the fields of a protobuf message before it is parsed: an empty field of 2 bytes takes 100 in memory."""

from __future__ import annotations

CONTINUES = 0x80
LONGEST_VARINT_BYTES = 10
VARINT, FIXED64, LENGTH_PREFIXED, FIXED32 = 0, 1, 2, 5
FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


def has_at_most_fields(message: bytes, maximum: int) -> bool:
    """Checks the number of fields at the top level of a message.

    Args:
        message: serialized, as received.
        maximum: most fields; each occurrence of a repeated field counts.

    Returns:
        Whether the message has at most this many fields; False if the bytes are not a message.
    """
    position, fields = 0, 0
    try:
        while position < len(message):
            fields += 1
            if fields > maximum:
                return False
            tag, position = _varint(message, position)
            wire_type = tag & 7
            if wire_type == VARINT:
                _, position = _varint(message, position)
            elif wire_type == LENGTH_PREFIXED:
                length, position = _varint(message, position)
                position += length
            else:
                position += FIXED_BYTES[wire_type]
    except (IndexError, KeyError):
        return False
    return position == len(message)


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position after it; IndexError if there is none."""
    value = 0
    for number in range(LONGEST_VARINT_BYTES):
        byte = message[position + number]
        value |= (byte & ~CONTINUES) << (7 * number)
        if byte < CONTINUES:
            return value, position + number + 1
    raise IndexError
