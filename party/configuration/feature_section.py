"""The keys that every kind of feature has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from party.configuration.strict import StrictModel

Malformed = Literal["error", "missing"]


class FeatureSection(StrictModel):
    """The keys of every kind of feature.

    Attributes:
        column: name of the column in the files.
        name: name of the feature; the name of the column if omitted.
        missing: further texts that count as missing; an empty cell always does.
    """

    column: str = Field(min_length=1)
    name: str | None = Field(default=None, min_length=1)
    missing: tuple[str, ...] = Field(default=(), strict=False)

    @property
    def key(self) -> str:
        """The feature's name in arrays, tables and messages."""
        return self.name or self.column

    @property
    def source_columns(self) -> tuple[str, ...]:
        """All columns that the feature reads, its own first."""
        return (self.column,)

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """Names of the encoded features that it becomes."""
        return (self.key,)

    @property
    def reads_exact_text(self) -> bool:
        """Whether cells must reach it exactly as written: another notation of the same value reads as another one."""
        return False
