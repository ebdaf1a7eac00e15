"""The distinct keys by which the rows of several datasets refer to one table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from party.data.distinct_texts import DistinctTexts, distinct_texts
from party.data.entities import Numbers
from party.data.ids import Ids
from party.data.keys import NO_KEY
from party.data.sorting import order_by_text
from party.data.text_columns import TextColumn


def distinct_keys(keys: Mapping[str, TextColumn], peer: str) -> tuple[Ids, Mapping[str, Numbers]]:
    """Finds the distinct keys of all datasets together.

    Args:
        keys: by dataset, the key of each row, NO_KEY where it refers to nothing.
        peer: name of the party that owns the table.

    Returns:
        The keys, ascending by their UTF-8 bytes, and by dataset the number of each row's key, or ABSENT; int32.
    """
    distinct = {name: distinct_texts(one) for name, one in keys.items()}
    encoded = pa.chunked_array([one.ordered for one in distinct.values()]).dictionary_encode().combine_chunks()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    order = order_by_text(encoded.dictionary)
    texts = encoded.dictionary.take(pa.array(order))
    numbers = np.empty(len(order), np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    if len(texts) and texts[0].as_py() == NO_KEY:  # the first in the order of bytes
        texts = texts[1:]
        numbers -= 1  # which makes it ABSENT
    of_texts = numbers[encoded.indices.to_numpy()]
    ends = np.cumsum([len(one.ordered) for one in distinct.values()])[:-1]
    parts = zip(distinct.items(), np.split(of_texts, ends), strict=True)
    return Ids(f"keys of {peer}", texts), {name: _of_rows(one, part) for (name, one), part in parts}


def _of_rows(texts: DistinctTexts, numbers: Numbers) -> Numbers:
    return np.asarray(numbers[texts.codes])
