"""Bounds on parsed content, checked before validation: a validator goes through, and may report, every part of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from party.errors import ConfigurationError


@dataclass(frozen=True)
class Extent:
    """Bounds of the content of a file or of a message.

    Attributes:
        values: most values in total, keys included; a value that YAML aliases repeat counts each time.
        depth: most levels of nested lists and mappings.
        text: most characters of a single text.
    """

    values: int
    depth: int
    text: int


CONTAINERS = (dict, list, tuple, set)
FILE_EXTENT = Extent(values=100_000, depth=32, text=4096)
RUN_EXTENT = Extent(values=4096, depth=8, text=512)


def check_extent(content: object, extent: Extent, where: object) -> None:
    """Refuses content that is too large, in time that the bounds limit.

    Args:
        content: lists, mappings and plain values, as YAML and JSON yield them.
        extent: the bounds.
        where: file or message that the content comes from, for errors.

    Raises:
        ConfigurationError: it exceeds a bound.
    """
    values = 0
    level = [content]
    for _ in range(extent.depth):
        below: list[object] = []
        for value in level:
            parts = _parts(value)
            values += len(parts)
            if values > extent.values:
                raise ConfigurationError("holds too many values", where=where, expected=f"at most {extent.values}")
            below.extend(parts)
        _check_texts(below, extent, where)
        level = below
    if any(isinstance(value, CONTAINERS) for value in level):
        expected = f"at most {extent.depth} lists and mappings inside of each other"
        raise ConfigurationError("is nested too deeply", where=where, expected=expected)


def _parts(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return list(value) if isinstance(value, CONTAINERS) else []


def _check_texts(values: Iterable[object], extent: Extent, where: object) -> None:
    if any(isinstance(value, str | bytes) and len(value) > extent.text for value in values):
        raise ConfigurationError("holds too long a text", where=where, expected=f"at most {extent.text} characters")
