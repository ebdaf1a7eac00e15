"""Dates and times as several features: parts of calendar and clock, and how long ago they were."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from party.configuration.canonical_text import canonical_text
from party.configuration.datetime_feature import AGE, DatetimeFeature, Part, part_of
from party.data.kinds.cells import Cells, Encoder, Encoding, NamedEncoding, malformed_cells, one_index, split_pair
from party.data.kinds.date_advice import date_advice
from party.data.kinds.moments import Moment, moment_reader
from party.data.kinds.scales import Scale
from party.errors import DataError

MISSING = 0
FIRST_YEAR, LAST_YEAR = 1900, 2099  # with a row of their own; all years before share one, and so do all after
# The first number of each part as people count it, and how many there are: vocabularies that depend on no data.
_NUMBERS: dict[Part, tuple[int, int]] = {
    "minute": (0, 60),
    "hour": (0, 24),
    "weekday": (0, 7),
    "is_weekend": (0, 2),
    "day": (1, 31),
    "day_of_year": (1, 366),
    "week": (1, 53),
    "month": (1, 12),
    "quarter": (1, 4),
    "year": (FIRST_YEAR - 1, LAST_YEAR - FIRST_YEAR + 3),
}
_DAY = timedelta(days=1)


class DatetimeEncoder(Encoder):
    """One encoded feature for each part: index 0 is missing, then the numbers of the part in their order.

    Years before 1900 share an index, and so do those after 2099. `age_days` is a number, standardised like kind
    `numeric`: index 0 with the days from the moment to the reference; a missing one has the value 0, the mean.

    Attributes:
        scale: centre and spread of the training rows' ages; None if the feature has none.
    """

    kind: Literal["datetime"] = "datetime"
    feature: DatetimeFeature
    scale: Scale | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.scale is None) == (AGE in self.feature.parts):
            raise ValueError("scale belongs to age_days")
        return self

    @classmethod
    def fit(cls, feature: DatetimeFeature, cells: Cells) -> Self:
        """Learns centre and spread of the training rows' ages, without the missing ones.

        Args:
            feature: the feature's section of the configuration.
            cells: cells of the training rows.

        Returns:
            The fitted encoder.

        Raises:
            DataError: a cell is malformed.
        """
        moments, references = _read(feature, cells)
        if AGE not in feature.parts:
            return cls(feature=feature)
        ages = _ages(moments, references)
        present = ~np.isnan(ages)
        scale = Scale.fit(ages[present], cells.counts[present], "standard")
        if scale is None:
            raise DataError("ages cannot be standardised", where=cells.where)  # no two dates lie that far apart
        return cls(feature=feature, scale=scale)

    def encodings(self, cells: Cells) -> tuple[NamedEncoding, ...]:
        """See `Encoder`."""
        moments, references = _read(self.feature, cells)
        return tuple(
            NamedEncoding(name=name, kind="numeric", size=1, encoding=_age_encoding(self.scale, moments, references))
            if part == AGE
            else NamedEncoding(name=name, kind=self.kind, size=_size(part), encoding=_part_encoding(part, moments))
            for part, name in self.feature.names_by_part.items()
        )

    def missing(self, cells: Cells) -> NDArray[np.bool_]:
        """Whether the feature treats a text as missing, bool, shape (distinct texts,)."""
        return np.fromiter((one is None for one in _read(self.feature, cells)[0]), np.bool_, count=len(cells.texts))

    def advice(self, cells: Cells) -> str:
        """What malformed cells that count as missing look like; empty if nothing known."""
        return date_advice(self.feature, cells, _malformed(self.feature, cells, _read(self.feature, cells)))


Moments = NDArray[np.object_]


def _read(feature: DatetimeFeature, cells: Cells) -> tuple[Moments, Moments]:
    """The moments of each distinct text and what their ages count to, each None where there is none."""
    read = moment_reader(feature)
    pairs = [split_pair(text) for text in cells.texts]
    is_absent = _absence(feature)
    moments = _objects([None if is_absent(text) else read(text) for text, _ in pairs])
    if feature.reference_column is not None:
        references = _objects([None if is_absent(text) else read(text) for _, text in pairs])
    else:
        references = np.full(len(pairs), _fixed_reference(feature), dtype=object)
    malformed = _malformed(feature, cells, (moments, references))
    if feature.malformed == "error" and malformed.any():
        advice = date_advice(feature, cells, malformed)
        raise malformed_cells(cells, malformed, expected=_expected(feature), advice=advice)
    return moments, references


def _absence(feature: DatetimeFeature) -> Callable[[str], bool]:
    """Whether a text counts as missing: as it is written or, unless a format says how that is, as its value."""
    written = {"", *feature.missing}
    if not feature.missing or feature.format is not None:
        return written.__contains__
    values = set(map(canonical_text, written))
    return lambda text: text in written or canonical_text(text) in values


def _malformed(feature: DatetimeFeature, cells: Cells, read: tuple[Moments, Moments]) -> NDArray[np.bool_]:
    """Which distinct texts hold something else than a moment, or beside the one that they age to."""
    is_absent = _absence(feature)
    both = zip(map(split_pair, cells.texts), *read, strict=True)
    wrong = (
        (moment is None and not is_absent(text))
        or (feature.reference_column is not None and reference is None and not is_absent(other))
        for (text, other), moment, reference in both
    )
    return np.fromiter(wrong, dtype=np.bool_, count=len(cells.texts))


def _expected(feature: DatetimeFeature) -> str:
    if feature.unit is not None:
        return f"numbers of {feature.unit} since 1970"
    return "dates and times in ISO 8601" if feature.format is None else "dates and times as format has them"


def _fixed_reference(feature: DatetimeFeature) -> Moment | None:
    if feature.reference is None:
        return None
    moment = datetime.fromisoformat(feature.reference)  # the configuration has read it in the same way
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=feature.time_zone)
    return Moment(moment.replace(tzinfo=None), moment.astimezone(UTC))


def _ages(moments: Moments, references: Moments) -> NDArray[np.float64]:
    """Days from each moment to its reference, float64 (distinct texts,); NaN without one of them."""
    ages = (
        math.nan if moment is None or reference is None else (reference.instant - moment.instant) / _DAY
        for moment, reference in zip(moments, references, strict=True)
    )
    return np.fromiter(ages, dtype=np.float64, count=len(moments)) + 0.0  # -0.0 becomes 0.0


def _age_encoding(scale: Scale | None, moments: Moments, references: Moments) -> Encoding:
    if scale is None:
        raise RuntimeError("an encoder of ages without a scale passed validation")
    values = scale.apply(_ages(moments, references))
    if values is None:
        raise RuntimeError("no two dates lie so far apart")
    return Encoding(np.zeros((len(values), 1), np.int32), values.reshape(-1, 1))


def _part_encoding(part: Part, moments: Moments) -> Encoding:
    first, count = _NUMBERS[part]
    numbers = (MISSING if one is None else 1 + _place(part_of(one.written, part) - first, count) for one in moments)
    return one_index(np.fromiter(numbers, dtype=np.int32, count=len(moments)))


def _place(number: int, count: int) -> int:
    return min(max(number, 0), count - 1)


def _size(part: Part) -> int:
    return 1 + _NUMBERS[part][1]


def _objects(values: Sequence[Moment | None]) -> Moments:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
