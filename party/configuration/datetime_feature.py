"""The kind `datetime`: how dates and times are written, and what a model sees of them."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Literal, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from party.configuration.feature_section import FeatureSection, Malformed, refuse_exact

EpochUnit = Literal["seconds", "milliseconds", "microseconds", "nanoseconds"]
Part = Literal[
    "minute",
    "hour",
    "weekday",
    "is_weekend",
    "day",
    "day_of_year",
    "week",
    "month",
    "quarter",
    "year",
    "age_days",
]
AGE = "age_days"
# Two moments that differ in every part: what a format writes of them and does not read back is not in the format.
_SAMPLES = (datetime(2019, 11, 23, 17, 46, tzinfo=UTC), datetime(2022, 3, 8, 5, 11, tzinfo=UTC))
SATURDAY = 5
MONTHS_OF_A_QUARTER = 3


class DateFormat(NamedTuple):
    """How texts of dates are written.

    Attributes:
        format: in the notation of `strptime`.
        zone: name of the time zone of calendar and clock; None for that of the cell.
    """

    format: str
    zone: str | None


class DatetimeFeature(FeatureSection):
    """A date or a date and time, as several features: parts of calendar and clock, and how long ago it was.

    Attributes:
        format: how cells are written, in the notation of `strptime`; ISO 8601 if omitted.
        unit: cells are numbers, and count it from the beginning of 1970 in UTC.
        zone: name of the time zone that moments are converted to; cells that name no zone are in it already.
        parts: the features that it becomes, each named after the column and the part.
        reference: the date or time that `age_days` counts to, in ISO 8601.
        reference_column: the column with it, written in the same way.
        malformed: whether a cell that is no date or time is an error or missing.
    """

    kind: Literal["datetime"]
    format: str | None = Field(default=None, min_length=1, max_length=128)
    unit: EpochUnit | None = None
    zone: str | None = Field(default=None, min_length=1, max_length=64)
    parts: tuple[Part, ...] = Field(default=("hour", "weekday", "month"), min_length=1, strict=False)
    reference: str | None = None
    reference_column: str | None = Field(default=None, min_length=1)
    malformed: Malformed = "error"
    _is_a_date = field_validator("exact")(refuse_exact)

    @field_validator("reference", mode="before")
    @classmethod
    def _plain_date(cls, reference: object) -> object:
        # YAML reads 2024-01-01 without quotes as a date.
        return reference.isoformat() if isinstance(reference, date) else reference

    @field_validator("reference")
    @classmethod
    def _is_date(cls, reference: str | None) -> str | None:
        if reference is not None:
            try:
                datetime.fromisoformat(reference)
            except ValueError:
                raise ValueError("must be a date or time in ISO 8601, such as 2024-01-31") from None
        return reference

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                zoneinfo.ZoneInfo(zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError("is not the name of a time zone, such as Europe/Berlin or UTC") from None
        return zone

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.format is not None and self.unit is not None:
            raise ValueError("format and unit exclude each other")
        if len(set(self.parts)) != len(self.parts):
            raise ValueError("parts must differ")
        if self.reference is not None and self.reference_column is not None:
            raise ValueError("reference and reference_column exclude each other")
        has_reference = self.reference is not None or self.reference_column is not None
        if (AGE in self.parts) != has_reference:
            raise ValueError("age_days in parts, and reference or reference_column, need each other")
        if self.format is not None:
            self._check_format(self.format)
        return self

    def _check_format(self, style: str) -> None:
        if "%Z" in style:
            raise ValueError("format: %Z depends on the machine; set zone, or read an offset by %z")
        try:
            read = [datetime.strptime(one.strftime(style), style) for one in _SAMPLES]
        except ValueError:
            raise ValueError("format cannot be read back; %Y, %m, %d, %H, %M and so on are known") from None
        for part in self.parts:
            lost = any(part_of(one, part) != part_of(other, part) for one, other in zip(read, _SAMPLES, strict=True))
            if lost:
                raise ValueError(f"parts: the format does not hold what {part} needs")

    @property
    def style(self) -> DateFormat | None:
        """How its cells are written where that is not ISO 8601."""
        return None if self.format is None else DateFormat(self.format, self.zone)

    @property
    def source_columns(self) -> tuple[str, ...]:
        """All columns that the feature reads, its own first."""
        others = () if self.reference_column is None else (self.reference_column,)
        return () if self.column is None else (self.column, *others)

    @property
    def names_by_part(self) -> Mapping[Part, str]:
        """The name of the encoded feature of each part."""
        return {part: f"{self.key}_{part}" for part in self.parts}

    @property
    def encoded_names(self) -> tuple[str, ...]:
        """Names of the encoded features that it becomes."""
        return () if self.column is None else tuple(self.names_by_part.values())

    @property
    def time_zone(self) -> tzinfo:
        """The zone of moments that name none."""
        return UTC if self.zone is None else zoneinfo.ZoneInfo(self.zone)

    @property
    def reads_exact_text(self) -> bool:
        """Whether cells must reach it exactly as written: `12.30` may be a time, and a zone says which clock it was."""
        return self.unit is None


def part_of(moment: datetime, part: Part) -> int:
    """A part of calendar or clock.

    Args:
        moment: as written.
        part: which part; `age_days` stands for the date.

    Returns:
        The number, from 0 or 1 as people count it; 0 for Monday.
    """
    return _PARTS[part](moment)


_PARTS: Mapping[Part, Callable[[datetime], int]] = {
    "minute": lambda moment: moment.minute,
    "hour": lambda moment: moment.hour,
    "weekday": datetime.weekday,
    "is_weekend": lambda moment: int(moment.weekday() >= SATURDAY),
    "day": lambda moment: moment.day,
    "day_of_year": lambda moment: moment.timetuple().tm_yday,
    "week": lambda moment: moment.isocalendar().week,
    "month": lambda moment: moment.month,
    "quarter": lambda moment: (moment.month - 1) // MONTHS_OF_A_QUARTER + 1,
    "year": lambda moment: moment.year,
    "age_days": datetime.toordinal,
}


def column_formats(features: Iterable[FeatureSection]) -> Mapping[str, DateFormat]:
    """How the texts of columns are written that are read in a format; not those that are read as written otherwise too.

    Args:
        features: the features of a party.
    """
    formats: dict[str, set[DateFormat | None]] = {}
    for feature in features:
        if feature.keeps_notation:
            style = feature.style if isinstance(feature, DatetimeFeature) else None
            for column in feature.source_columns:
                formats.setdefault(column, set()).add(style)
    single = {column: next(iter(found)) for column, found in formats.items() if len(found) == 1}
    return {column: style for column, style in single.items() if style is not None}
