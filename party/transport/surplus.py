"""Selects what exceeds a bound, fairly: from whoever has the most."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

One = TypeVar("One")


def surplus(ones: Iterable[One], group: Callable[[One], str], *, each: int, total: int) -> list[One]:
    """Selects connections to end.

    Args:
        ones: the connections, those to end first in front.
        group: returns whose a connection is.
        each: how many of one group may stay.
        total: how many may stay.

    Returns:
        The first ones of the groups with the most, until neither a group nor the total exceeds its bound.
    """
    by_group: dict[str, deque[One]] = {}
    left = 0
    for one in ones:
        by_group.setdefault(group(one), deque()).append(one)
        left += 1
    chosen: list[One] = []
    for members in by_group.values():
        while len(members) > each:
            chosen.append(members.popleft())
    while left - len(chosen) > total:
        chosen.append(max(by_group.values(), key=len).popleft())
    return chosen
