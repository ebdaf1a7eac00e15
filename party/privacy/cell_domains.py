"""Domains of private columns: what a cell may be, and the symbols that it is drawn as."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np

from party.privacy.levels import DoubleArray, Levels
from party.privacy.symbol_draws import IntArray, SymbolDraws

MISSING = ""


class CellDomain(Protocol):
    """All that the cells of a private column may be.

    Attributes:
        scheme: text that differs wherever draws of two domains differ.
        alphabet: number of symbols.
    """

    scheme: str
    alphabet: int

    def canonical(self, text: str) -> str | None:
        """A cell as the domain has it, the same text for all cells that mean the same; None outside of the domain."""

    def symbols(self, cells: Sequence[str], uniforms: DoubleArray) -> IntArray:
        """Symbols of cells.

        Args:
            cells: what `canonical` returned, of length rows.
            uniforms: a number in (0, 1) for each, for rounding at random, float64 (rows,).

        Returns:
            From 0 to `alphabet` − 1, int64 (rows,).
        """

    def text(self, symbol: int) -> str:
        """The cell that a symbol stands for."""


class TextCells:
    """A domain of texts.

    Args:
        values: the texts.
        other: the text that any other cell counts as; None if there must be no other.
    """

    def __init__(self, values: Sequence[str], other: str | None = None) -> None:
        # In an order of its own: another order in the configuration must not draw anew.
        symbols = sorted({*values, *([] if other is None else [other])}, key=str.encode)
        self._texts = symbols
        self._places = {text: place for place, text in enumerate(symbols)}
        self._other = other
        self.alphabet = len(symbols)
        self.scheme = f"values {symbols!r}"

    def canonical(self, text: str) -> str | None:
        """See `CellDomain`."""
        return text if text in self._places else self._other

    def symbols(self, cells: Sequence[str], uniforms: DoubleArray) -> IntArray:
        """See `CellDomain`."""
        return np.fromiter((self._places[cell] for cell in cells), dtype=np.int64, count=len(cells))

    def text(self, symbol: int) -> str:
        """See `CellDomain`."""
        return self._texts[symbol]


class NumberCells:
    """A domain of numbers between public bounds, drawn as even levels; an empty cell may be a symbol of its own.

    Drawn numbers are the levels themselves. To remove the bias of the draws would be an affine map of them, and a
    standardised feature is the same before and after one.

    Args:
        minimum: lower bound.
        maximum: upper bound.
        epsilon: privacy loss of one cell, on which the number of levels depends.
        parse: the number that a text is; NaN for any other text.
        missing: texts that count as missing.
        clips: whether a number outside of the bounds counts as the bound next to it.
        whole: whether drawn numbers are rounded to whole ones, for a feature that takes no others.
    """

    def __init__(
        self,
        minimum: float,
        maximum: float,
        epsilon: float,
        parse: Callable[[str], float],
        *,
        missing: Sequence[str] = (),
        clips: bool = False,
        whole: bool = False,
    ) -> None:
        self._bounds = (minimum, maximum)
        self._levels = levels = Levels(minimum, maximum, epsilon)
        self._parse = parse
        self._missing = frozenset(missing)
        self._clips = clips
        self.alphabet = levels.count + bool(missing)
        numbers = levels.values(np.arange(levels.count, dtype=np.int64)).tolist()
        self._texts = [*(str(round(number)) if whole else repr(number) for number in numbers), MISSING]
        self.scheme = f"range {minimum!r} {maximum!r} {levels.count} {sorted(missing)!r}"

    def canonical(self, text: str) -> str | None:
        """See `CellDomain`."""
        if text in self._missing:
            return MISSING
        number = self._parse(text)
        if math.isnan(number):
            return None
        minimum, maximum = self._bounds
        clipped = min(max(number, minimum), maximum)
        # Equal numbers must have equal texts: -0.0 becomes 0.0.
        return repr(clipped + 0.0) if clipped == number or self._clips else None

    def symbols(self, cells: Sequence[str], uniforms: DoubleArray) -> IntArray:
        """See `CellDomain`."""
        numbers = np.fromiter((float(cell or "nan") for cell in cells), dtype=np.float64, count=len(cells))
        missing = np.isnan(numbers)
        levels = self._levels.to_symbols(np.where(missing, self._bounds[0], numbers), uniforms)
        return np.where(missing, self._levels.count, levels)

    def text(self, symbol: int) -> str:
        """See `CellDomain`."""
        return self._texts[symbol]


def drawn_cells(
    domain: CellDomain, draws: SymbolDraws, entities: Iterable[str], cells: Sequence[str], *, epsilon: float
) -> list[str]:
    """Draws the cells of one column, one for each entity.

    Args:
        domain: the column's domain.
        draws: the draws of this column.
        entities: names of entities, each once; they are gone through several times.
        cells: their cells as `canonical` returned them.
        epsilon: privacy loss of one cell.

    Returns:
        The drawn cells, in the same order.
    """
    symbols = domain.symbols(cells, draws.uniforms(entities))
    drawn = draws.draw(entities, symbols, domain.alphabet, epsilon)
    texts = [domain.text(symbol) for symbol in range(domain.alphabet)]
    return [texts[symbol] for symbol in drawn.tolist()]
