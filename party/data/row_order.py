"""The order that the label party puts the rows of a dataset in before a peer learns which entity each refers to.

The rows are first put in an order that depends on what they hold and not on the file's order, then permuted by a secret
that the label party alone holds. What a peer can see of the order is then that of a random permutation, and the same
rows have the same order in every alignment.

The permutation also depends on a digest of what the rows are ordered by. Without it, the maps of two alignments with
one row changed would be the same sequence, shifted: a peer could tell which rows follow each other, and so, with ids
that count upwards, the order in time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from party.data.distinct_texts import DistinctTexts, distinct_texts
from party.data.sorting import Order
from party.data.table import Table
from party.data.text_digest import text_digest
from party.security.randomness import secret_stream

_STREAM = "order of rows"
_NO_SEED = 0


def secret_row_order(table: Table, secret: bytes) -> Order:
    """Orders the rows of a dataset with joins.

    Args:
        table: the dataset; its rows are told apart by their ids or, without any, by all that was read of them.
        secret: 32 bytes that no other party holds.

    Returns:
        Row numbers of the file; shape (rows,), int32.
    """
    keys = [distinct_texts(column) for _, column in sorted(table.keys.items())]
    digest = hashlib.sha256()
    if table.ids is not None:
        canonical = table.ids.by_text()
        ids = table.ids.take(canonical)
        digest.update(text_digest(ids.text_blocks))
        _add_codes(digest, np.arange(table.rows, dtype=np.int32))
    else:
        ordering = [*keys, *(distinct_texts(table.columns[name]) for name in sorted(table.columns))]
        canonical = _order_by_all(ordering)
        _add_columns(digest, ordering, canonical)
    _add_columns(digest, keys, canonical)
    stream = secret_stream(secret, _NO_SEED, f"{_STREAM} {table.dataset} {digest.hexdigest()}")
    return stream.permutation(canonical)


def _order_by_all(columns: Sequence[DistinctTexts]) -> Order:
    """Orders rows by the first column, those that are equal in it by the second, and so on."""
    order = np.arange(len(columns[0].column), dtype=np.int32)
    for one in reversed(columns):
        order = order[np.argsort(one.codes[order], kind="stable")]
    return order


def _add_columns(digest: hashlib._Hash, columns: Sequence[DistinctTexts], order: Order) -> None:
    """Adds columns so that the digest is the same in whatever order their rows are."""
    for column in columns:
        digest.update(column.digest())
        _add_codes(digest, column.codes[order])


def _add_codes(digest: hashlib._Hash, codes: npt.NDArray[np.int32]) -> None:
    digest.update(np.ascontiguousarray(codes, "<i4").data)
