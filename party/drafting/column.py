"""A column of a file as the guesses see it: its distinct texts, and how many rows hold each."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import cached_property

# How files write that there is nothing; each is proposed only where it stands among values of another kind.
MARKERS = ("?", "-", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none", "#N/A", "unknown")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")


@dataclass(frozen=True)
class Column:
    """One column of all rows that are trained on.

    Attributes:
        name: of the column.
        counts: number of rows by text; an empty cell is the empty text.
    """

    name: str
    counts: dict[str, int] = field(repr=False)

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.counts.values())

    @cached_property
    def given(self) -> dict[str, int]:
        """Number of rows by text, without empty cells."""
        return {text: count for text, count in self.counts.items() if text}

    @cached_property
    def given_rows(self) -> int:
        """Number of rows that are not empty."""
        return sum(self.given.values())

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that the name is made of, in lower case: user, id for `UserID`."""
        return frozenset(word.lower() for word in _WORDS.findall(self.name))

    @property
    def is_unique(self) -> bool:
        """Whether every row has a text of its own, and none is empty."""
        return self.rows == self.given_rows == len(self.given)

    def share(self, holds: Callable[[str], bool]) -> float:
        """Share of the rows with a text for which something holds."""
        return sum(count for text, count in self.given.items() if holds(text)) / max(1, self.given_rows)

    def markers(self, holds: Callable[[str], bool]) -> tuple[str, ...]:
        """The texts for nothing among those for which something does not hold."""
        return tuple(text for text in MARKERS if text in self.given and not holds(text))

    def without(self, texts: Collection[str]) -> Column:
        """The column with some texts as if their cells were empty."""
        return replace(self, counts={text: count for text, count in self.given.items() if text not in texts})
