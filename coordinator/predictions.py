"""Where predictions are, which only the label party has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Predictions:
    """Where the label party wrote predictions.

    Attributes:
        party: name of the label party, the only one that has them.
        files: names in the run's folder, in the state folder of the label party.
        rows: number of predictions.
    """

    party: str
    files: tuple[str, ...]
    rows: int
