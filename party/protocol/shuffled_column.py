"""A column whose cells an evaluation shuffles among the rows, to measure what it brings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShuffledColumn:
    """A column, named by its place alone: what it is called stays with its owner.

    Attributes:
        party: name of the party that has it.
        number: its place among the columns of the party's features, from 1.
    """

    party: str
    number: int

    def __str__(self) -> str:
        return f"column {self.number} of {self.party}"
