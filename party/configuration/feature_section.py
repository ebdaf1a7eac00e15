"""The keys that every kind of feature has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from party.configuration.strict import StrictModel

MAXIMUM_PATTERNS = 1024
Pattern = Annotated[str, Field(min_length=1)]
Malformed = Literal["error", "missing"]


class FeatureSection(StrictModel):
    """The keys of every kind of feature.

    Attributes:
        column: name of the column in the files.
        columns: in its place, names of several columns and patterns of names: a feature of this kind for each.
        name: name of the feature; the name of the column if omitted.
        missing: further texts that count as missing; an empty cell always does.
        exact: whether cells that are written differently differ, as 1.1 and 1.10 do where they are versions; without
            it, they are one value.
    """

    has_several: ClassVar[bool] = False  # whether a cell holds several values
    column: str | None = Field(default=None, min_length=1)
    columns: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), max_length=MAXIMUM_PATTERNS, strict=False
    )
    name: str | None = Field(default=None, min_length=1)
    missing: tuple[str, ...] = Field(default=(), strict=False)
    exact: bool = False

    @field_validator("columns", mode="before")
    @classmethod
    def _several(cls, columns: object) -> object:
        return (columns,) if isinstance(columns, str) else columns

    @model_validator(mode="after")
    def _has_columns(self) -> Self:
        if (self.column is None) != bool(self.columns):
            raise ValueError("needs column, or columns for several, and not both")
        if self.columns and self.name is not None:
            raise ValueError("name belongs to a single column: the features of columns are named after them")
        return self

    @property
    def key(self) -> str:
        """The feature's name in arrays, tables and messages."""
        return self.name or self.column or ", ".join(self.columns)

    @property
    def source_columns(self) -> tuple[str, ...]:
        """All columns that the feature reads, its own first; none before it is known what `columns` stands for."""
        return () if self.column is None else (self.column,)

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """Names of the encoded features that it becomes."""
        return () if self.column is None else (self.key,)

    @property
    def reads_exact_text(self) -> bool:
        """Whether cells must reach it exactly as written: another notation of the same value reads as another one."""
        return False

    @property
    def keeps_notation(self) -> bool:
        """Whether its columns are read as they are written: it tells notations apart, or parts of a cell are values."""
        return self.exact or self.has_several or self.reads_exact_text


def refuse_exact(exact: bool) -> bool:
    """Refuses the key `exact` where a cell is a number or a date."""
    if exact:
        raise ValueError("is for texts: equal numbers are equal, however they are written")
    return exact


def columns_as_written(features: Iterable[FeatureSection]) -> frozenset[str]:
    """Columns whose texts are kept as they are written: exact ones, and those of several values.

    Args:
        features: the features of a party.
    """
    return frozenset(column for feature in features if feature.keeps_notation for column in feature.source_columns)
