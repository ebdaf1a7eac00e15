"""Tables as plain text: aligned columns where they fit, otherwise the lines of one row below each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from party.errors import one_line
from party.output.terminal import HANGING, text_columns, wrapped

GAP = "  "
_PARTS = re.compile(r"[^_./-]*[_./-]*")  # of a name or a path, which a narrow column may break


@dataclass(frozen=True)
class PrintedColumn:
    """A column of a table.

    Attributes:
        title: stands above it.
        is_number: whether its cells stand to the right; they are never broken.
    """

    title: str
    is_number: bool = False


@dataclass(frozen=True, kw_only=True)
class PrintedTable:
    """A table of texts.

    Attributes:
        columns: from left to right.
        rows: cells of each row, as many as columns; shown as one line each.
        title: stands above the table, which it indents; empty for none.

    Raises:
        ValueError: a row has another number of cells than the table has columns.
    """

    columns: tuple[PrintedColumn, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row has a cell for each column")

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields the lines, none of them wider than the terminal but for a word that is.

        Args:
            columns: of the terminal; None for a pipe, where each row is one line of any length.
        """
        title = one_line(self.title)
        lead = ""
        if title:
            yield from (title,) if columns is None else wrapped(title, columns)
            lead = GAP
        cells = [tuple(map(one_line, row)) for row in self.rows]
        titles = [one_line(column.title) for column in self.columns]
        natural = [max(map(text_columns, column)) for column in zip(titles, *cells, strict=True)]
        widths = natural if columns is None else self._fitting(natural, cells, columns - len(lead))
        if widths is None:
            yield from self._blocks(cells, lead, columns or 0)
        else:
            yield from (lead + line if line else line for line in self._grid(titles, cells, widths))

    def _fitting(self, natural: list[int], cells: list[tuple[str, ...]], columns: int) -> list[int] | None:
        """The widths of the columns on a terminal; None if words would have to be broken."""
        room = columns - len(GAP) * (len(natural) - 1)
        least = [
            max(
                [
                    *map(text_columns, column.title.split()),
                    *(_least(row[place], column) for row in cells),
                ],
                default=0,
            )
            for place, column in enumerate(self.columns)
        ]
        if sum(least) > room:
            return None
        if sum(natural) <= room:
            return natural
        # Titles above numbers give way first, then the widest texts, all down to one bound.
        wanted = [least[place] if column.is_number else natural[place] for place, column in enumerate(self.columns)]
        bound = max(wanted)
        while sum(_bounded(wanted, least, bound)) > room:
            bound -= 1
        return _bounded(wanted, least, bound)

    def _grid(self, titles: list[str], cells: list[tuple[str, ...]], widths: list[int]) -> Iterator[str]:
        head = [wrapped(title, width, hanging="") for title, width in zip(titles, widths, strict=True)]
        tallest = max(map(len, head))
        yield from self._aligned([[""] * (tallest - len(parts)) + parts for parts in head], widths)
        for row in cells:
            yield from self._aligned(list(map(_broken, row, widths)), widths)

    def _aligned(self, row: list[list[str]], widths: list[int]) -> Iterator[str]:
        for place in range(max(map(len, row))):
            texts = [parts[place] if place < len(parts) else "" for parts in row]
            yield GAP.join(map(_padded, texts, widths, (column.is_number for column in self.columns))).rstrip()

    def _blocks(self, cells: list[tuple[str, ...]], lead: str, columns: int) -> Iterator[str]:
        for row in cells:
            named = [f"{column.title}: {cell}" for column, cell in zip(self.columns, row, strict=True) if cell]
            for number, text in enumerate(named):
                yield from wrapped(lead + (GAP if number else "") + text, columns)


def numbered(*titles: str) -> tuple[PrintedColumn, ...]:
    """Columns of numbers.

    Args:
        titles: of the columns.
    """
    return tuple(PrintedColumn(title, is_number=True) for title in titles)


def worded(*titles: str) -> tuple[PrintedColumn, ...]:
    """Columns of texts.

    Args:
        titles: of the columns.
    """
    return tuple(PrintedColumn(title) for title in titles)


def _least(cell: str, column: PrintedColumn) -> int:
    """The least width that breaks no part of a cell's words."""
    if column.is_number:
        return text_columns(cell)
    first, *others = [part for word in cell.split() for part in _PARTS.findall(word) if part] or [""]
    longest = max(text_columns(first), *(len(HANGING) + text_columns(part) for part in others), 0)
    return min(longest, text_columns(cell))


def _bounded(wanted: list[int], least: list[int], bound: int) -> list[int]:
    return [min(wide, max(narrow, bound)) for wide, narrow in zip(wanted, least, strict=True)]


def _broken(cell: str, width: int) -> list[str]:
    """Breaks a cell between words, and those that are wider than the column between the parts of their names."""
    lines: list[str] = []
    for line in wrapped(cell, width):
        lines.append("")
        for part in _PARTS.findall(line) if text_columns(line) > width else (line,):
            if lines[-1].strip() and text_columns(lines[-1] + part) > width:
                lines.append(HANGING)
            lines[-1] += part
    return lines


def _padded(text: str, width: int, is_number: bool) -> str:
    space = " " * (width - text_columns(text))
    return space + text if is_number else text + space
