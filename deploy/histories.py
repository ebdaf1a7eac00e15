"""Histories of users: for each row, a sequence of strictly earlier events."""

from __future__ import annotations

import pandas as pd

HISTORY = "History"
SEPARATOR = " "


def with_histories(ratings: pd.DataFrame, length: int) -> pd.DataFrame:
    """Adds the films that the user of each row rated earlier, the most recent last.

    Ratings of the same second do not count as earlier, as their order is unknown.

    Args:
        ratings: UserID, MovieID and Timestamp as text, one row per rating.
        length: largest number of films in a history; the latest ones are used.

    Returns:
        The ratings in their order, with a text column `History`.
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
