"""Rules for the readings of the party's own meters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from party.policy.refusals import refusal


@dataclass(frozen=True)
class MeterRules:
    """The highest readings that the owner accepts.

    A refusal says that a limit was passed, and nothing else: not the reading, nor which label or column, nor which of
    the meters. Each of these depends on the data.

    Attributes:
        party: name of this party, for errors.
        maximum_label_reading: of the label party's meters; None without a limit.
        maximum_column_reading: of a feature party's meters; None without a limit.
    """

    party: str
    maximum_label_reading: float | None
    maximum_column_reading: float | None

    @property
    def limits_labels(self) -> bool:
        """Whether there is a limit for the label party's meters."""
        return self.maximum_label_reading is not None

    @property
    def limits_columns(self) -> bool:
        """Whether there is a limit for a feature party's meters."""
        return self.maximum_column_reading is not None

    def label_above(self, reading: float) -> bool:
        """Whether a reading of the label party's meters is above the limit."""
        return self.maximum_label_reading is not None and reading > self.maximum_label_reading

    def column_above(self, reading: float) -> bool:
        """Whether a reading of a feature party's meters is above the limit."""
        return self.maximum_column_reading is not None and reading > self.maximum_column_reading

    def refuse_labels(self) -> NoReturn:
        """Refuses to go on.

        Raises:
            PolicyError: always.
        """
        limit = f"readings of at most {self.maximum_label_reading}"
        raise refusal(
            self.party, "maximum_label_reading", "the meters of its labels", expected=limit, received="", fix=FIX
        )

    def refuse_columns(self) -> NoReturn:
        """Refuses to go on.

        Raises:
            PolicyError: always.
        """
        limit = f"readings of at most {self.maximum_column_reading}"
        raise refusal(
            self.party, "maximum_column_reading", "the meters of its columns", expected=limit, received="", fix=FIX
        )


FIX = "ask its owner, whose log says more"
