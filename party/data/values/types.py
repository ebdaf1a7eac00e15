"""The types of columns that can be read, and the type of the values behind a type of a file format."""

from __future__ import annotations

import pyarrow as pa

from party.errors import DataError

UUID_BYTES = 16
_SHOWN_CHARACTERS = 64  # of a type in an error: names of fields of structs come from the file

_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_duration)
_OTHERS = (
    *_NUMBERS,
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_timestamp,
)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values behind dictionaries and extensions; UUIDs stay what they are.

    Args:
        kind: type of a column, or of the elements of a list.
    """
    while True:
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        elif isinstance(kind, pa.BaseExtensionType) and not is_uuid(kind):
            kind = kind.storage_type
        else:
            return kind


def is_uuid(kind: pa.DataType) -> bool:
    """Whether a type is Arrow's UUID, which is what a file's logical type UUID becomes."""
    return isinstance(kind, pa.UuidType)


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's lists."""
    return any(holds(kind) for holds in _LISTS)


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's texts."""
    return any(holds(kind) for holds in _TEXTS)


def is_number(kind: pa.DataType) -> bool:
    """Whether a type's values are numbers; durations are, as seconds."""
    return any(holds(kind) for holds in _NUMBERS)


def is_date(kind: pa.DataType) -> bool:
    """Whether a type's values are dates, or dates with a time."""
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def check_type(kind: pa.DataType, *, lists: bool, where: str) -> None:
    """Refuses a column whose values have no text of their own.

    Args:
        kind: type of the column.
        lists: whether the column may hold lists.
        where: party, file and column, for errors.

    Raises:
        DataError: the column holds bytes, structs, maps, lists of lists or other values that are neither texts, numbers
            nor times; or lists where there may be none.
    """
    plain = plain_type(kind)
    if is_list(plain):
        if lists and _is_scalar(plain_type(plain.value_type)):
            return
        what = "holds lists of values that are no plain texts or numbers" if lists else "holds lists"
        fix = "write lists of texts or numbers" if lists else "read it by features of kind multi_hot or sequence alone"
        raise _unreadable(what, kind, fix, where)
    if _is_scalar(plain):
        return
    fix = "write it as text, numbers, booleans or dates"
    if pa.types.is_fixed_size_binary(plain) and plain.byte_width == UUID_BYTES:
        fix = "write UUIDs with the logical type UUID, or as text"
    raise _unreadable("holds values that are no plain texts or numbers", kind, fix, where)


def _is_scalar(kind: pa.DataType) -> bool:
    return is_uuid(kind) or is_text(kind) or any(holds(kind) for holds in _OTHERS)


def _unreadable(what: str, kind: pa.DataType, fix: str, where: str) -> DataError:
    return DataError(
        what,
        where=where,
        expected="text, numbers, booleans, dates, times or UUIDs",
        received=str(kind)[:_SHOWN_CHARACTERS],
        fix=fix,
        public_message="a column of its data holds values that cannot be read",
    )
