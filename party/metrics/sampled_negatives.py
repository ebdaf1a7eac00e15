"""How many negatives were sampled for each positive row of a session's datasets: figures over them are no others'."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SampledNegatives:
    """The number for each positive row; 0 where none were sampled.

    Attributes:
        dataset: of the dataset that is trained on or evaluated.
        held_out: of the rows that training holds out.
    """

    dataset: int = 0
    held_out: int = 0

    @property
    def most(self) -> int:
        """The larger number of both."""
        return max(self.dataset, self.held_out)


def negatives_words(per_positive: int) -> str:
    """Says what figures are over, to stand after them; empty where no negatives were sampled.

    Args:
        per_positive: number of negatives for each positive row.
    """
    return f" (over {per_positive} sampled negatives for each positive row)" if per_positive else ""
