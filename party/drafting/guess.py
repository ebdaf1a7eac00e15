"""What was guessed of a column, with the reason for its owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Guess:
    """A feature.

    Attributes:
        keys: its keys besides the column, in the order to be written.
        why: the reason, for a comment.
        missing: texts that stand for nothing.
    """

    keys: Mapping[str, object]
    why: str
    missing: tuple[str, ...] = ()

    def section(self, column: str) -> dict[str, object]:
        """The feature as the configuration has it.

        Args:
            column: name of the column.
        """
        missing = {"missing": list(self.missing)} if self.missing else {}
        return {"column": column, **self.keys, **missing}


@dataclass(frozen=True)
class LeftOut:
    """A column that is no feature.

    Attributes:
        why: the reason, for a comment.
    """

    why: str
