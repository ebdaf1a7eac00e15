"""The order in which a side sends its ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from party.data.ids import Ids
from party.data.scratch import IN_MEMORY, Scratch
from party.data.sorting import Order, Words, order_by_words

_ORDER_PERSON = b"psi order"
_HASH_BYTES = 16
_WORDS = np.dtype("<u8")
_BLOCK_ROWS = 1 << 20


def hidden_order(key: bytes, ids: Ids, scratch: Scratch = IN_MEMORY) -> Order:
    """Orders rows by a keyed hash of their ids: chunks are random subsets that reveal nothing about the file's order.

    Args:
        key: secret of this alignment.
        ids: the ids by row.
        scratch: for the hashes of all ids.

    Returns:
        Row numbers in the hidden order; shape (ids,), int32.
    """
    order_key = hashlib.blake2b(key, person=_ORDER_PERSON).digest()
    words = scratch.array((len(ids), _HASH_BYTES // _WORDS.itemsize), _WORDS)
    filled = 0
    for block in ids.blocks():
        hashes = bytearray()
        for one in block:
            hashes += hashlib.blake2b(one.encode(), digest_size=_HASH_BYTES, key=order_key).digest()
        words[filled : filled + len(block)] = np.frombuffer(hashes, _WORDS).reshape(len(block), -1)
        filled += len(block)

    def blocks() -> Iterator[Words]:
        return (words[start : start + _BLOCK_ROWS] for start in range(0, len(words), _BLOCK_ROWS))

    return order_by_words(blocks, len(ids))
