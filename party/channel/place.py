"""Identifies the batch that a matrix belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from party.cut.hidden import Rows


@dataclass(frozen=True)
class Place:
    """The batch that a matrix belongs to; sender and receiver each derive it from the schedule.

    Attributes:
        position: position of the exchange in the schedule.
        rows: row numbers of the batch, int32 (rows,).
        trains: whether it is a training batch, as opposed to held-out rows, evaluation or prediction.
    """

    position: int
    rows: Rows
    trains: bool
