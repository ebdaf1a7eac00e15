"""Columns that a feature names by patterns."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ColumnRange:
    """The columns of a feature's `columns`, and what they stood for in the files' headers.

    Attributes:
        patterns: names, and patterns of them.
        columns: the columns, in the order of the patterns, and of their names within one.
    """

    patterns: tuple[str, ...]
    columns: tuple[str, ...]


def matching_columns(patterns: Sequence[str], header: Sequence[str], others: Collection[str]) -> tuple[str, ...]:
    """The columns that patterns stand for.

    Args:
        patterns: names, and patterns with `*`, `?` and `[...]`; upper and lower case differ.
        header: names of all columns of a file.
        others: columns that no pattern stands for; only their own name does.

    Returns:
        Each column once: in the order of the patterns, and of the names within one, whatever their order in the file.
    """
    names = sorted(set(header), key=str.encode)
    found: dict[str, None] = {}
    for pattern in patterns:
        if pattern in names:
            found[pattern] = None
        else:
            found |= dict.fromkeys(one for one in names if one not in others and fnmatch.fnmatchcase(one, pattern))
    return tuple(found)
