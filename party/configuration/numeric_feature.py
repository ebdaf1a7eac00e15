"""The kind `numeric`: how its numbers are written, bounded and scaled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from party.configuration.feature_section import FeatureSection, Malformed, refuse_exact
from party.configuration.strict import StrictModel

Decimal = Literal[".", ","]
Thousands = Literal[".", ",", "'", " "]
Scaling = Literal["standard", "robust", "none"]
FiniteNumber = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
COMMA = ","
NO_BREAK_BLANKS = ("\u00a0", "\u202f", "\u2009")  # no-break, narrow no-break and thin: print looks alike


class NumberNotation(StrictModel):
    """How numbers are written.

    Attributes:
        decimal: sign before the fraction.
        thousands: sign between groups of three digits; None if there is none.
    """

    decimal: Decimal = "."
    thousands: Thousands | None = None

    def __str__(self) -> str:
        grouped = "" if self.thousands is None else f'thousands: "{self.thousands}"'
        decimal = "" if self.decimal == "." and grouped else f'decimal: "{self.decimal}"'
        return " and ".join(part for part in (decimal, grouped) if part)


class NumericFeature(FeatureSection):
    """A number, bounded and scaled as the training rows have it; a missing one becomes 0.

    Attributes:
        malformed: whether a cell that is not a finite number is an error or missing.
        decimal: sign before the fraction.
        thousands: sign between groups of three digits.
        clip: least and greatest number; one beyond counts as the bound next to it.
        clip_quantiles: the same, as quantiles of the training rows.
        log: whether log(1 + number) takes the place of the number, which must not be negative.
        scaling: `standard` by mean and deviation, `robust` by median and interquartile range, or `none`.
    """

    kind: Literal["numeric"]
    malformed: Malformed = "error"
    decimal: Decimal = "."
    thousands: Thousands | None = None
    clip: tuple[FiniteNumber, FiniteNumber] | None = Field(default=None, strict=False)
    clip_quantiles: tuple[Share, Share] | None = Field(default=None, strict=False)
    log: bool = False
    scaling: Scaling = "standard"
    _is_a_number = field_validator("exact")(refuse_exact)

    @field_validator("thousands", mode="before")
    @classmethod
    def _one_blank(cls, thousands: object) -> object:
        return " " if thousands in NO_BREAK_BLANKS else thousands

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands must differ: if thousands is a point, decimal is a comma")
        if self.clip is not None and self.clip_quantiles is not None:
            raise ValueError("clip and clip_quantiles exclude each other")
        for key, bounds in (("clip", self.clip), ("clip_quantiles", self.clip_quantiles)):
            if bounds is not None and bounds[0] >= bounds[1]:
                raise ValueError(f"{key} needs the lower bound first, and a greater one after it")
        if self.log and self.clip is not None and self.clip[1] < 0:
            raise ValueError("clip leaves only negative numbers, of which log has none")
        return self

    @property
    def notation(self) -> NumberNotation:
        """How its numbers are written."""
        return NumberNotation(decimal=self.decimal, thousands=self.thousands)

    @property
    def reads_exact_text(self) -> bool:
        """Whether cells must reach it exactly as written: `1.230` is 1230 or 1.23."""
        return self.notation != NumberNotation()


def columns_with_comma(features: Iterable[FeatureSection]) -> frozenset[str]:
    """Columns in which texts have a decimal comma.

    Args:
        features: the features of a party.
    """
    return frozenset(
        column
        for feature in features
        if isinstance(feature, NumericFeature) and feature.decimal == COMMA
        for column in feature.source_columns
    )
