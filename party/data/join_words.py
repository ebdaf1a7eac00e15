"""What joins and tables are, in words for the owner of a party."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from party.configuration.features import DataSection
from party.configuration.joins import JoinSection, KeyRule
from party.data.keys import NO_KEY
from party.data.table import Table

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


def key_lines(table: Table) -> Iterator[str]:
    """Counts the keys of a dataset.

    Args:
        table: the dataset at the label party.

    Yields:
        A line for each peer whose table its rows refer to; a warning where no row has a key.
    """
    for peer, keys in table.keys.items():
        empty = int(np.count_nonzero(keys.holds(NO_KEY)))
        distinct = int(np.count_nonzero(keys.counts())) - bool(empty)
        yield f"{table.dataset}: join with {peer}: {distinct:,} distinct keys, {empty:,} rows without a key"
        if not distinct:
            yield f"warning: {table.dataset}: no row has a key for {peer}: check the column, and transforms of the join"


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
