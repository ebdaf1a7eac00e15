"""What an alignment found, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordinator.alignment import DatasetAlignment, JoinedTable
from coordinator.data_quality import quality_lines
from party.security.printable import printable

_REUSED = "aligned before, and still valid: reused (--force aligns again)"


def alignment_lines(results: Sequence[DatasetAlignment]) -> Iterator[str]:
    """Makes the lines that `coordinator align` prints.

    Args:
        results: one for each dataset.
    """
    for result in results:
        yield f"dataset {printable(result.dataset)}"
        for party, rows in result.rows.items():
            yield f"  {printable(party):<20} {rows:>12,} rows"
        if result.joins:
            yield from _join_lines(result)
        if result.reused or result.rows_in_common is None:
            yield f"  {_REUSED}"
        if result.rows_in_common is not None:
            yield f"  {'in common':<20} {result.rows_in_common:>12,} rows"
        yield from (_warning(join) for join in result.joins if join.finds_few)
        # A table stands under the first dataset alone: it is the same for all.
        told = [name for name in result.rows if result is results[0] or not _is_of_table(result, name)]
        yield from (f"  {line}" for line in quality_lines(result.quality, told))


def _is_of_table(result: DatasetAlignment, party: str) -> bool:
    return party in result.quality and result.quality[party].dataset != result.dataset


def _join_lines(result: DatasetAlignment) -> Iterator[str]:
    yield f"  {'join':<32} {'rows':>12} {'keys':>12} {'keys found':>12} {'with partner':>13}"
    for join in result.joins:
        name = f"{printable(join.peer)}: {printable(join.table)} ({'left' if join.left else 'inner'})"
        yield f"  {name:<32} {join.rows:>12,} {join.keys:>12,} {join.keys_found:>12,} {join.rows_with_partner:>13,}"


def _warning(join: JoinedTable) -> str:
    if not join.keys:
        return f"  warning: none of {join.rows:,} rows has a key for {printable(join.table)} of {printable(join.peer)}"
    return (
        f"  warning: {join.rows_with_partner:,} of {join.rows:,} rows find a partner in {printable(join.table)} of"
        f" {printable(join.peer)}: compare how the keys are written at both (3.0 is not 3; see transforms)"
    )
