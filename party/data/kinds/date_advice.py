"""What a column of malformed dates looks like, for its owner: counts of rows, and no cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from party.configuration.datetime_feature import DatetimeFeature
from party.data.kinds.cells import Cells, parse_number, split_pair
from party.data.kinds.moments import iso_moment


def date_advice(feature: DatetimeFeature, cells: Cells, malformed: NDArray[np.bool_]) -> str:
    """Says what to do where most cells are no dates as the feature reads them.

    Args:
        feature: the feature's section of the configuration.
        cells: the column.
        malformed: which distinct texts are malformed, bool (distinct texts,).

    Returns:
        One sentence that counts rows; empty where few cells are malformed.
    """
    rows, refused = cells.rows, cells.row_count(malformed)
    if 2 * refused <= rows:
        return ""
    texts = [split_pair(text)[0] for text in cells.texts]
    in_iso = cells.row_count(np.array([iso_moment(text) is not None for text in texts], dtype=np.bool_))
    if 2 * in_iso > rows and (feature.format is not None or feature.unit is not None):
        return f"{in_iso} of {rows} rows are in ISO 8601: leave out {'unit' if feature.format is None else 'format'}"
    numbers = cells.row_count(np.isfinite([parse_number(text) for text in texts]))
    if 2 * numbers > rows:
        return f"{numbers} of {rows} rows are numbers: set unit to what they count since 1970, or format"
    return f"{refused} of {rows} rows are written in another way: set format, such as %d.%m.%Y or %m/%d/%Y %H:%M"
