"""The metrics of one pass over rows: the exact ones, and those that a coordinator may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

LOSS = "loss"
_RELEASED_KEY = "told"  # of the stored form


@dataclass(frozen=True)
class PassMetrics:
    """The metrics of the rows of a pass.

    Attributes:
        rows: number of rows.
        values: exact figures by their names in a history: the loss, means of measures, metrics; NaN where undefined.
        released: figures by name that a coordinator may see; None for one that is withheld.
    """

    rows: int
    values: Mapping[str, float]
    released: Mapping[str, float | None] = field(default_factory=dict)

    def to_values(self) -> dict[str, object]:
        """The metrics as values that JSON can hold."""
        values = {name: float(one) for name, one in self.values.items()}
        released = {name: None if one is None else float(one) for name, one in self.released.items()}
        return {"rows": self.rows, "values": values, _RELEASED_KEY: released}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Restores metrics.

        Args:
            values: what `to_values` returned.

        Returns:
            The same metrics.
        """
        return cls(values["rows"], values["values"], values[_RELEASED_KEY])
