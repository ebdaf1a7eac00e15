"""What an alignment found, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coordinator.alignment import DatasetAlignment, JoinedTable
from coordinator.data_quality import quality_lines, quality_warnings
from party.output.quantities import count_text, counted
from party.output.tables import PrintedTable, numbered, worded
from party.security.printable import printable

_REUSED = "aligned before, and still valid: reused (--force aligns again)"
_IN_COMMON = "in common"
_INDENT = "  "
_NAME_WIDTH = 20  # at least, so that the rows of several datasets are alike
_COUNT_WIDTH = 12
_JOIN_COLUMNS = (*worded("join"), *numbered("rows", "keys", "keys found", "with partner"))


@dataclass(frozen=True)
class AlignmentResult:
    """What `coordinator align` tells.

    Attributes:
        datasets: the result of each.
        warnings: what deserves a look, a sentence each.
    """

    datasets: tuple[DatasetAlignment, ...]
    warnings: tuple[str, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields the lines that `coordinator align` prints.

        Args:
            columns: of the terminal; None for a pipe.
        """
        return alignment_lines(self.datasets, columns)


def alignment_result(results: Sequence[DatasetAlignment]) -> AlignmentResult:
    """Returns what is to be told of an alignment.

    Args:
        results: one for each dataset.
    """
    warnings = []
    for result in results:
        warnings += [f"{printable(result.dataset)}: {_warning(join)}" for join in result.joins if join.finds_few]
        told = {name: found for name, found in result.quality.items() if name in _told(result, results[0])}
        warnings += quality_warnings(told)
    return AlignmentResult(tuple(results), tuple(warnings))


def alignment_lines(results: Sequence[DatasetAlignment], columns: int | None = None) -> Iterator[str]:
    """Makes the lines about all datasets.

    Args:
        results: one for each dataset.
        columns: of the terminal; None for a pipe.
    """
    for result in results:
        yield f"dataset {printable(result.dataset)}"
        width = max(_NAME_WIDTH, *(len(printable(party)) for party in result.rows))
        yield from (_rows(party, rows, width) for party, rows in result.rows.items())
        if result.joins:
            table = PrintedTable(columns=_JOIN_COLUMNS, rows=tuple(map(_join_row, result.joins)))
            yield from (_INDENT + line for line in table.lines(None if columns is None else columns - len(_INDENT)))
        if result.reused or result.rows_in_common is None:
            yield f"{_INDENT}{_REUSED}"
        if result.rows_in_common is not None:
            yield _rows(_IN_COMMON, result.rows_in_common, width)
        yield from (f"{_INDENT}warning: {_warning(join)}" for join in result.joins if join.finds_few)
        yield from (f"{_INDENT}{line}" for line in quality_lines(result.quality, _told(result, results[0])))


def _told(result: DatasetAlignment, first: DatasetAlignment) -> list[str]:
    """The parties whose quality is told with a dataset: a table stands under the first one alone, the same for all."""
    return [name for name in result.rows if result is first or not _is_of_table(result, name)]


def _is_of_table(result: DatasetAlignment, party: str) -> bool:
    return party in result.quality and result.quality[party].dataset != result.dataset


def _rows(name: str, rows: int, width: int) -> str:
    return f"{_INDENT}{printable(name):<{width}} {count_text(rows):>{_COUNT_WIDTH}} {'row' if rows == 1 else 'rows'}"


def _join_row(join: JoinedTable) -> tuple[str, ...]:
    name = f"{printable(join.peer)}: {printable(join.table)} ({'left' if join.left else 'inner'})"
    return (name, *map(count_text, (join.rows, join.keys, join.keys_found, join.rows_with_partner)))


def _warning(join: JoinedTable) -> str:
    if not join.keys:
        return f"none of {counted(join.rows, 'row')} has a key for {printable(join.table)} of {printable(join.peer)}"
    return (
        f"{count_text(join.rows_with_partner)} of {counted(join.rows, 'row')} find a partner in"
        f" {printable(join.table)} of {printable(join.peer)}: compare how the keys are written at both"
        " (3.0 is not 3; see transforms)"
    )
