"""The distinct keys by which the rows of several datasets refer to one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from party.data.distinct_texts import distinct_texts
from party.data.entities import ABSENT, Numbers
from party.data.keys import NO_KEY, Texts


def distinct_keys(keys: Mapping[str, Texts], peer: str) -> tuple[Sequence[str], Mapping[str, Numbers]]:
    """Finds the distinct keys of all datasets together.

    Args:
        keys: by dataset, the key of each row, NO_KEY where it refers to nothing; shape (rows,).
        peer: name of the party that owns the table, for errors.

    Returns:
        The keys, ascending by their UTF-8 bytes, and by dataset the number of each row's key, or ABSENT; int32.

    Raises:
        DataError: a key cannot be written as UTF-8.
    """
    distinct = distinct_texts(np.concatenate(list(keys.values())), f"keys of {peer}")
    texts, codes = distinct.texts(), distinct.codes
    if texts and texts[0] == NO_KEY:  # the first in the order of bytes
        texts = texts[1:]
        codes = np.where(codes == 0, np.int32(ABSENT), codes - 1)
    ends = np.cumsum([len(one) for one in keys.values()])[:-1]
    return texts, dict(zip(keys, np.split(codes, ends), strict=True))
