"""Draws items for rows: which row each negative takes its item from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from party.configuration.negatives import Draw

MOST_TRIES = 100  # of a negative; a user with positive rows for 9 of 10 draws has one after all but 1 in 37,000
NO_ITEM = -1  # of a row whose item is unknown
_UNIT = 2.0**-53

Rows = NDArray[np.int64]
Drawn = NDArray[np.int32]


class RawBits(Protocol):
    """A generator of uniform bits, as those of NumPy are."""

    def random_raw(self, size: int) -> NDArray[np.uint64]:
        """The next outputs, uint64 (size,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Interactions:
    """The rows that items are drawn for and from.

    Attributes:
        users: number of each row's user, int64 (rows,).
        items: number of each row's item, or NO_ITEM; int64 (rows,).
        positive: which rows are positive, bool (rows,).
    """

    users: Rows
    items: Rows
    positive: NDArray[np.bool_]


def draw_items(interactions: Interactions, per_positive: int, draw: Draw, bits: RawBits) -> tuple[Drawn, Drawn]:
    """Draws items for every positive row, none of which its user has a positive row with.

    Args:
        interactions: all rows of a dataset; one has an item.
        per_positive: number of draws for each positive row.
        draw: `popularity` draws a row, `uniform` an item and one of its rows.
        bits: source of randomness.

    Returns:
        The positive row and the row with the drawn item of each negative, int32 (negatives,), ascending by the positive
        row. A negative that found no item in MOST_TRIES tries is left out.
    """
    pool = _Pool(interactions.items, draw)
    positives = np.flatnonzero(interactions.positive).astype(np.int32)
    origin = np.repeat(positives, per_positive)
    drawn = np.full(len(origin), NO_ITEM, np.int32)
    pairs = interactions.users * (pool.items + 1) + interactions.items  # NO_ITEM meets no item that is drawn
    taken = np.unique(pairs[positives[interactions.items[positives] != NO_ITEM]])
    pending = np.arange(len(origin), dtype=np.int32)
    for _ in range(MOST_TRIES):
        if not len(pending):
            break
        rows = pool.draw(len(pending), bits)
        wanted = interactions.users[origin[pending]] * (pool.items + 1) + interactions.items[rows]
        is_free = ~_among(wanted, taken)
        drawn[pending[is_free]] = rows[is_free]
        pending = pending[~is_free]
    found = drawn != NO_ITEM
    return origin[found], drawn[found]


class _Pool:
    """The rows that have an item, each once (`popularity`) or as often as makes all items equally likely."""

    def __init__(self, items: Rows, draw: Draw) -> None:
        self.items = int(items.max(initial=NO_ITEM)) + 1
        self._rows = np.flatnonzero(items != NO_ITEM)
        self._draw = draw
        if draw == "uniform":
            self._rows = self._rows[np.argsort(items[self._rows], kind="stable")]
            self._sizes = np.bincount(items[self._rows], minlength=self.items)
            self._starts = np.cumsum(self._sizes) - self._sizes

    def draw(self, count: int, bits: RawBits) -> Rows:
        """Draws rows, int64 (count,)."""
        if self._draw == "popularity":
            places = _below(np.full(count, len(self._rows)), bits)
        else:
            items = _below(np.full(count, self.items), bits)
            places = self._starts[items] + _below(self._sizes[items], bits)
        rows: Rows = self._rows[places]
        return rows


def _below(bounds: Rows, bits: RawBits) -> Rows:
    """Draws a number from 0 to each bound - 1; of raw bits, which no version of NumPy changes."""
    units = (bits.random_raw(len(bounds)) >> np.uint64(11)).astype(np.float64) * _UNIT
    return np.floor(units * bounds).astype(np.int64)


def _among(values: Rows, known: Rows) -> NDArray[np.bool_]:
    """Which values are among some that are ascending."""
    places = np.minimum(np.searchsorted(known, values), max(0, len(known) - 1))
    return np.asarray(known[places] == values) if len(known) else np.zeros(len(values), np.bool_)
