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
from party.data.table import Table
from party.security.randomness import secret_stream

_STREAM = "order of rows"
_NO_SEED = 0


def secret_row_order(table: Table, secret: bytes) -> npt.NDArray[np.int64]:
    """Orders the rows of a dataset with joins.

    Args:
        table: the dataset; its rows are told apart by their ids or, without any, by all that was read of them.
        secret: 32 bytes that no other party holds.

    Returns:
        Row numbers of the file; shape (rows,), int64.

    Raises:
        DataError: a text cannot be written as UTF-8.
    """
    keys = [_distinct(table, keys, f"keys of {peer}") for peer, keys in sorted(table.keys.items())]
    if table.ids is not None:
        ordering = [_distinct(table, table.ids.to_numpy(dtype=object), "ids")]
    else:
        columns = table.columns
        ordering = keys + [_distinct(table, columns[name].by_row(), f"column {name}") for name in sorted(columns)]
    canonical = np.lexsort([one.codes for one in reversed(ordering)])
    digest = _content_digest([*ordering, *keys], canonical)
    stream = secret_stream(secret, _NO_SEED, f"{_STREAM} {table.dataset} {digest.hex()}")
    return canonical[stream.permutation(table.rows)]


def _distinct(table: Table, texts: npt.NDArray[np.object_], what: str) -> DistinctTexts:
    return distinct_texts(texts, f"{table.path.name}: {what}")


def _content_digest(columns: Sequence[DistinctTexts], order: npt.NDArray[np.int64]) -> bytes:
    """A digest of the columns that is the same in whatever order their rows are."""
    digest = hashlib.sha256()
    for column in columns:
        digest.update(column.digest())
        digest.update(column.codes[order].astype("<i4").tobytes())
    return digest.digest()
