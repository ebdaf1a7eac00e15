"""The order in which a side sends its ids."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from party.errors import DataError

_ORDER_PERSON = b"psi order"
_HASH_BYTES = 16
_WORDS = np.dtype("<u8")


def hidden_order(key: bytes, ids: Sequence[str], where: str) -> NDArray[np.int64]:
    """Orders rows by a keyed hash of their ids: chunks are random subsets that reveal nothing about the file's order.

    Args:
        key: secret of this alignment.
        ids: the ids by row.
        where: dataset, for errors.

    Returns:
        Row numbers in the hidden order; shape (ids,), int64.

    Raises:
        DataError: an id that cannot be written as UTF-8.
    """
    order_key = hashlib.blake2b(key, person=_ORDER_PERSON).digest()
    hashes = bytearray()
    try:
        for one in ids:
            hashes += hashlib.blake2b(one.encode(), digest_size=_HASH_BYTES, key=order_key).digest()
    except UnicodeEncodeError:
        raise DataError("an id cannot be written as UTF-8", where=where, fix="clean the id column") from None
    words = np.frombuffer(hashes, _WORDS).reshape(len(ids), _HASH_BYTES // _WORDS.itemsize)
    return np.lexsort(words.T).astype(np.int64, copy=False)
