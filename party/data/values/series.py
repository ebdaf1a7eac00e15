"""Columns of pandas as canonical texts."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from party.data.values.distinct import TEXT
from party.data.values.texts import canonical_texts


def text_series(texts: pa.ChunkedArray) -> pd.Series[str]:
    """Texts of Arrow as a column of pandas.

    Args:
        texts: large_string without nulls.
    """
    series: pd.Series[str] = texts.to_pandas().astype("str")
    return series


def canonical_series(column: pd.Series[str], where: str) -> pd.Series[str]:
    """The canonical text of every cell.

    Args:
        column: text.
        where: party, file and column, for errors.

    Returns:
        Text, with the index of the column.
    """
    series = text_series(canonical_texts(pa.array(column, TEXT), exact=False, where=where))
    return series.set_axis(column.index)
