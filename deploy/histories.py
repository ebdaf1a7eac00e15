"""What each user did before: sequences for a row that hold nothing of the row's own moment or later."""

from __future__ import annotations

import pandas as pd

HISTORY = "History"
SEPARATOR = " "


def with_histories(ratings: pd.DataFrame, length: int) -> pd.DataFrame:
    """Adds the films that the row's user rated earlier, the most recent last.

    Ratings of the very same second do not count as earlier: nothing tells which came first.

    Args:
        ratings: UserID, MovieID and Timestamp as text, one row a rating.
        length: most films of a history, the latest ones.

    Returns:
        The ratings with a text column `History`, in their order.
    """
    moments = ratings["Timestamp"].astype("int64")
    ordered = ratings.assign(moment=moments).sort_values(["UserID", "moment", "MovieID"], kind="stable")
    histories: dict[object, str] = {}
    for _, rows in ordered.groupby("UserID", sort=False):
        seen: list[str] = []
        for _, together in rows.groupby("moment", sort=True):
            history = SEPARATOR.join(seen[-length:])
            histories |= dict.fromkeys(together.index, history)
            seen += together["MovieID"].tolist()
    return ratings.assign(**{HISTORY: pd.Series(histories, dtype="str").reindex(ratings.index)})
