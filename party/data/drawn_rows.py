"""Adds negatives to a dataset that lists only what happened: its rows, with items of other rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from party.configuration.features import DataSection
from party.configuration.negatives import NegativesSection
from party.data.item_draws import NO_ITEM, Interactions, Rows, draw_items
from party.data.labels import read_labels
from party.data.negative_cells import negative_cell
from party.data.negatives import Negatives
from party.data.table import Table
from party.data.text_columns import TextColumn, TextColumns
from party.errors import DataError
from party.security.randomness import secret_stream

_STREAM = "negatives"
_NO_SEED = 0


def with_negatives(party: str, data: DataSection, section: NegativesSection, *, table: Table, secret: bytes) -> Table:
    """Adds the negatives of a dataset after its own rows.

    The draws depend on the secret, the dataset's name and its files, so that every session reads the same rows and the
    coordinator's seed has no part in them.

    Args:
        party: name of this party, for errors.
        data: the party's data section.
        section: how negatives are drawn.
        table: the dataset, with the columns of labels, users and items.
        secret: 32 bytes that only this party knows.

    Returns:
        The table with drawn rows: each has the cells, keys and id of a positive row, but the item's cells and keys of
        another row, and negative labels.

    Raises:
        ConfigurationError: a label's rule does not fit its column, or labels of one column exclude each other.
        DataError: a label is missing or malformed, a row is negative already, no row has an item, or there would be
            more rows than the owner allows.
    """
    where = f"{party}: {table.path.name}"
    positive = _positive_rows(party, data, section, table)
    items = _items(table.columns, section.item)
    if (items == NO_ITEM).all():
        raise DataError(
            "no row has an item to draw",
            where=f"{where}: column {', '.join(section.item)}",
            fix="correct data.negatives.item",
            public_message="no negatives can be drawn of a dataset",
        )
    rows = table.rows + section.per_positive * int(np.count_nonzero(positive))
    if rows > data.maximum_rows:
        raise DataError(
            "has too many rows together with its negatives",
            where=where,
            expected=f"at most {data.maximum_rows:,} (data.maximum_rows)",
            received=f"{rows:,}",
            fix="lower data.negatives.per_positive, or raise data.maximum_rows",
            public_message="a dataset has too many rows",
        )
    bits = secret_stream(secret, _NO_SEED, f"{_STREAM} {table.dataset} {table.rows_sha256}").bit_generator
    interactions = Interactions(users=_numbers(table.columns, section.user), items=items, positive=positive)
    origin, item_origin = draw_items(interactions, section.per_positive, section.draw, bits)
    own = np.arange(table.rows, dtype=np.int32)
    return _extended(
        party,
        data,
        section,
        table=table,
        negatives=Negatives(
            per_positive=section.per_positive,
            positives=int(np.count_nonzero(positive)),
            file_rows=table.rows,
            origin=np.concatenate([own, origin]),
            item_origin=np.concatenate([own, item_origin]),
        ),
    )


def negative_lines(table: Table) -> Iterator[str]:
    """Counts what was drawn for a dataset, for its owner.

    Args:
        table: the dataset.

    Yields:
        A line; none without negatives.
    """
    negatives = table.negatives
    if negatives is not None:
        left_out = ""
        if negatives.left_out:
            left_out = f"; {negatives.left_out:,} left out, as their users have positive rows with what was drawn"
        yield (
            f"{table.dataset}: {negatives.file_rows:,} rows of the file, {negatives.positives:,} of them positive, and"
            f" {negatives.drawn:,} sampled negatives, {negatives.per_positive} for each positive{left_out}"
        )


def _positive_rows(party: str, data: DataSection, section: NegativesSection, table: Table) -> NDArray[np.bool_]:
    """Which rows are positive by any label; refuses others where the owner does not accept them."""
    values = read_labels(party, data, table.columns, table.path.name, weighted=False).values
    positive: NDArray[np.bool_] = (values == 1).any(axis=1)
    if not section.beside_negatives and not positive.all():
        are = "have no label, or are negative" if np.isnan(values).any() else "are negative"
        raise DataError(
            f"rows {are} already: beside sampled negatives, partners can infer labels from the rows of an entity",
            where=f"{party}: {table.path.name}",
            expected="positive rows alone (data.negatives)",
            received=f"{int(np.count_nonzero(~positive)):,} of {table.rows:,} rows that are not positive",
            fix="leave the dataset out of data.negatives.datasets and train on its own negatives, leave these rows out"
            " of the file, or accept it by data.negatives.beside_negatives: true",
            public_message="a dataset that is to get negatives has some already",
        )
    return positive


def _items(columns: TextColumns, names: Sequence[str]) -> Rows:
    """The number of each row's item, or NO_ITEM where a part of it is empty."""
    items = _numbers(columns, names)
    for name in names:
        items[columns[name].holds("")] = NO_ITEM
    # Numbered anew without those: every number has rows, and the order of first rows is that of the file alone.
    known = items != NO_ITEM
    items[known] = pd.factorize(items[known])[0]
    return items


def _numbers(columns: TextColumns, names: Sequence[str]) -> Rows:
    """A number for each distinct tuple of cells, int64 (rows,), in the order of its first row."""
    numbers = np.zeros(columns.count, np.int64)
    for name in names:
        pairs = numbers * len(columns[name].distinct) + columns[name].codes
        numbers = pd.factorize(pairs)[0].astype(np.int64)
    return numbers


def _extended(party: str, data: DataSection, section: NegativesSection, *, table: Table, negatives: Negatives) -> Table:
    staying = table.columns.take(negatives.origin)
    moved = TextColumns({name: table.columns[name] for name in section.moved}, table.rows).take(negatives.item_origin)
    labels = {
        name: _with_cell(table.columns[name], negative_cell(party, data, name), negatives.drawn)
        for name in {label.source for label in data.labels.values()}
    }
    by_item = {join.peer for join in data.joins if set(join.key) <= set(section.moved)}
    return replace(
        table,
        ids=None if table.ids is None else table.ids.take(negatives.origin),
        keys={
            peer: keys.take(negatives.item_origin if peer in by_item else negatives.origin)
            for peer, keys in table.keys.items()
        },
        columns=staying.with_columns({**moved, **labels}),
        negatives=negatives,
    )


def _with_cell(column: TextColumn, text: str, rows: int) -> TextColumn:
    """The column, and the same cell in so many more rows."""
    number = pa.compute.index(column.distinct, pa.scalar(text, column.distinct.type)).as_py()
    distinct = column.distinct
    if number < 0:
        number, distinct = len(distinct), pa.concat_arrays([distinct, pa.array([text], distinct.type)])
    return TextColumn(np.concatenate([column.codes, np.full(rows, number, np.int32)]), distinct)
