"""What joins and tables are, in words for the owner of a party."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from party.configuration.features import DataSection
from party.configuration.joins import JoinSection, KeyRule
from party.data.keys import NO_KEY
from party.data.table import Table

CHECK_KEYS = "check the column, and transforms of the join"
_KINDS = {
    "inner": "rows without a partner are dropped",
    "left": "rows without a partner are kept",
}


def join_lines(data: DataSection) -> Iterator[str]:
    """Says what each join does, and how the key of tables is made.

    Args:
        data: the party's data section.

    Yields:
        A line for each join; one for the key of tables.
    """
    for join in data.joins:
        yield (
            f"join with {join.peer}: {_rule_words(join.rule)} {_verb(join.rule, 'refers', 'refer')} to its table"
            f" {join.table}; {join.kind}:"
            f" {_KINDS[join.kind]}; {_learns(join)}"
        )
    if data.tables and data.id_rule is not None:
        is_unique = _verb(data.id_rule, "is unique", "are unique together")
        yield f"tables: {_rule_words(data.id_rule)} {is_unique}, and rows of the label party refer to it"


@dataclass(frozen=True, kw_only=True)
class KeyCounts:
    """The keys of a dataset for the table of one peer.

    Attributes:
        peer: name of the peer.
        distinct_keys: number of distinct keys.
        rows_without_key: number of rows that refer to nothing.
    """

    peer: str
    distinct_keys: int
    rows_without_key: int

    @property
    def words(self) -> str:
        """The same in a line."""
        return (
            f"join with {self.peer}: {self.distinct_keys:,} distinct keys, {self.rows_without_key:,} rows without a key"
        )

    @property
    def warning(self) -> str:
        """What to do where no row has a key; empty where one has."""
        return "" if self.distinct_keys else f"no row has a key for {self.peer}: {CHECK_KEYS}"


def key_counts(table: Table) -> Iterator[KeyCounts]:
    """Counts the keys of a dataset.

    Args:
        table: the dataset at the label party.

    Yields:
        Counts for each peer whose table its rows refer to.
    """
    for peer, keys in table.keys.items():
        empty = int(np.count_nonzero(keys.holds(NO_KEY)))
        distinct = int(np.count_nonzero(keys.counts())) - bool(empty)
        yield KeyCounts(peer=peer, distinct_keys=distinct, rows_without_key=empty)


def _rule_words(rule: KeyRule) -> str:
    several = "s" if len(rule.columns) > 1 else ""
    how = f" after {', '.join(rule.transforms)}" if rule.transforms else ""
    done = " (in the file already)" if rule.transformed else ""
    return f"key column{several} {', '.join(rule.columns)}{how}{done}"


def _verb(rule: KeyRule, of_one: str, of_several: str) -> str:
    return of_several if len(rule.columns) > 1 else of_one


def _learns(join: JoinSection) -> str:
    left = ", and how many have no partner" if join.kind == "left" else ""
    return f"{join.peer} learns how many rows each of its entities in common has here{left}"
