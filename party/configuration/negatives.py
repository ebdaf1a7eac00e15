"""`data.negatives`: rows that did not happen, drawn for each row that did, at the label party."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from party.configuration.joins import DatasetName, KeyColumns
from party.configuration.strict import StrictModel

MOST_PER_POSITIVE = 1000

Draw = Literal["popularity", "uniform"]


class NegativesSection(StrictModel):
    """How negatives are drawn: copies of a positive row in which another item takes the place of its own.

    Attributes:
        per_positive: number of negatives for each positive row.
        user: the column, or columns, that say who a row is about; they stay.
        item: the column, or columns, that say which item a row is about.
        columns: the other columns that belong to the item; they are taken from the same row as the item.
        draw: `popularity` takes the item of any row, `uniform` any distinct item, each as likely as every other.
        datasets: datasets that get negatives; None for all that have labels.
        beside_negatives: whether files with negative rows of their own are accepted, although partners can then infer
            labels from the number of rows of an entity.
    """

    per_positive: int = Field(ge=1, le=MOST_PER_POSITIVE)
    user: KeyColumns
    item: KeyColumns
    columns: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), strict=False)
    draw: Draw = "popularity"
    datasets: tuple[DatasetName, ...] | None = Field(default=None, min_length=1, strict=False)
    beside_negatives: bool = False

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        named = [*self.user, *self.moved]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"names column {twice[0]} twice among user, item and columns")
        return self

    @property
    def moved(self) -> tuple[str, ...]:
        """The columns that a negative takes from another row."""
        return (*self.item, *self.columns)

    @property
    def read(self) -> frozenset[str]:
        """The columns that draws read."""
        return frozenset((*self.user, *self.moved))

    def draws(self, dataset: str, unlabelled: Collection[str]) -> bool:
        """Whether a dataset gets negatives.

        Args:
            dataset: its name.
            unlabelled: datasets without labels.
        """
        return dataset not in unlabelled if self.datasets is None else dataset in self.datasets
