"""How many fields a protobuf message has, before it is parsed: an empty one of two bytes costs a hundred in memory."""

from __future__ import annotations

CONTINUES = 0x80
LONGEST_VARINT_BYTES = 10
VARINT, FIXED64, LENGTH_PREFIXED, FIXED32 = 0, 1, 2, 5
FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


def has_at_most_fields(message: bytes, maximum: int) -> bool:
    """Whether parsing a message cannot make more than so many objects at its top level.

    Args:
        message: serialized, as received.
        maximum: of its fields, each occurrence of a repeated one counted.

    Returns:
        False also where the bytes are no message.
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
    """The number at a position, and the position after it; IndexError where there is none."""
    value = 0
    for number in range(LONGEST_VARINT_BYTES):
        byte = message[position + number]
        value |= (byte & ~CONTINUES) << (7 * number)
        if byte < CONTINUES:
            return value, position + number + 1
    raise IndexError
