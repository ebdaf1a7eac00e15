"""How a feature party protects its columns: the section `privacy` of its file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from party.configuration.canonical_text import canonical_text
from party.configuration.features import DataSection, IntegerBucketsFeature
from party.configuration.numeric_feature import NumericFeature
from party.configuration.strict import StrictModel, kind_of

MAXIMUM_VALUES = 10_000
SHOWN_NAMES = 8
_NUMBER_KINDS = (NumericFeature, IntegerBucketsFeature)
ColumnName = Annotated[str, Field(min_length=1)]


class ValuesDomain(StrictModel):
    """A private column whose cells are some of a few texts; each cell is one symbol, whatever the feature makes of it.

    Attributes:
        values: all texts that a cell may be; the empty one stands for a missing cell.
        other: the text that every other cell counts as; without it, another cell is an error.
    """

    kind: Literal["values"] = "values"
    values: tuple[str, ...] = Field(min_length=1, max_length=MAXIMUM_VALUES, strict=False)
    other: str | None = None

    @model_validator(mode="after")
    def _symbols_differ(self) -> Self:
        symbols = self.symbols
        if len(set(symbols)) != len(symbols):
            raise ValueError("values must differ, and other must be none of them")
        if len(symbols) == 1:
            raise ValueError("a column of one value holds nothing to protect; name at least two")
        return self

    @property
    def symbols(self) -> tuple[str, ...]:
        """All texts that can be drawn."""
        return self.values if self.other is None else (*self.values, self.other)

    def canonical(self) -> ValuesDomain:
        """The domain of a column whose cells are read as values; refuses two notations of one value."""
        other = None if self.other is None else canonical_text(self.other)
        return ValuesDomain(values=tuple(map(canonical_text, self.values)), other=other)


class RangeDomain(StrictModel):
    """A private column of numbers between public bounds, drawn as one of a few even levels.

    Attributes:
        minimum: lower bound.
        maximum: upper bound.
        clip: whether a number outside counts as the bound next to it; without it, such a number is an error.
        missing: texts that count as missing, a symbol of its own that is drawn as an empty cell; without any, a missing
            cell is an error.
    """

    kind: Literal["range"] = "range"
    minimum: float = Field(allow_inf_nan=False)
    maximum: float = Field(allow_inf_nan=False)
    clip: bool = False
    missing: tuple[str, ...] = Field(default=(), max_length=MAXIMUM_VALUES, strict=False)

    @model_validator(mode="after")
    def _bounds_differ(self) -> Self:
        if self.minimum >= self.maximum:
            raise ValueError("minimum must be below maximum")
        return self

    def canonical(self) -> RangeDomain:
        """The domain of a column whose cells are read as values."""
        return self.model_copy(update={"missing": tuple(map(canonical_text, self.missing))})


AnyDomain = Annotated[
    Annotated[ValuesDomain, Tag("[values]")] | Annotated[RangeDomain, Tag("[range]")],
    Discriminator(kind_of("values", minimum="range", maximum="range")),
]


class PrivateColumnsSection(StrictModel):
    """Columns that are randomised before anything is computed from them, once for each entity.

    Attributes:
        epsilon: privacy loss of all private columns of one entity together; each column gets an equal share.
        entity: the column that names the entity; rows of one entity get one answer. The id column if omitted.
        public: columns that features read and that leave as they are.
        columns: the private columns, each with all that its cells may be.
    """

    epsilon: float = Field(ge=0.01, le=64.0)
    entity: str | None = Field(default=None, min_length=1)
    public: tuple[ColumnName, ...] = Field(default=(), strict=False)
    columns: dict[ColumnName, AnyDomain] = Field(min_length=1)

    @property
    def share(self) -> float:
        """Privacy loss of one column."""
        return self.epsilon / len(self.columns)


class DecorrelateSection(StrictModel):
    """A penalty in training on hiddens that go with certain columns: a hindrance, without epsilon.

    Attributes:
        columns: the columns; the party's features need not read them.
        weight: factor of the penalty in the base model's loss.
    """

    columns: tuple[ColumnName, ...] = Field(min_length=1, strict=False)
    weight: float = Field(default=0.03, gt=0.0, allow_inf_nan=False)


class PrivacySection(StrictModel):
    """How this party protects its columns.

    Attributes:
        columns: columns that are randomised before anything is computed from them.
        decorrelate: a penalty on hiddens that go with certain columns.
    """

    columns: PrivateColumnsSection | None = None
    decorrelate: DecorrelateSection | None = None

    @property
    def read(self) -> frozenset[str]:
        """The columns that this section alone may need of every file."""
        private = {} if self.columns is None else self.columns.columns
        penalised = () if self.decorrelate is None else self.decorrelate.columns
        entity = None if self.columns is None else self.columns.entity
        return frozenset([*private, *penalised, *([] if entity is None else [entity])])

    def check(self, data: DataSection, holds_labels: bool) -> None:
        """Refuses what does not fit the party's data.

        Args:
            data: the party's data section.
            holds_labels: whether this is the label party.

        Raises:
            ValueError: a key of this section does not fit; the text names it.
        """
        if holds_labels and (self.columns or self.decorrelate):
            raise ValueError(
                "privacy: columns and decorrelate protect the hiddens that a feature party sends, and the label party "
                "sends none; its labels are protected by data.labels.NAME.privacy"
            )
        if self.decorrelate is not None:
            self._check_penalised(self.decorrelate, data)
        if self.columns is not None:
            penalised = () if self.decorrelate is None else self.decorrelate.columns
            _check_private(self.columns, data, penalised)

    def _check_penalised(self, section: DecorrelateSection, data: DataSection) -> None:
        _refuse_twice("privacy.decorrelate.columns", section.columns)
        if any(name in section.columns for name in data.id_columns):
            raise ValueError("privacy.decorrelate: the id column differs in every row, so no penalty can hide it")
        both = [name for name in section.columns if self.columns is not None and name in self.columns.columns]
        if both:
            raise ValueError(
                f"privacy.decorrelate names {_listed(both)}, which privacy.columns protects: the penalty needs the "
                "true cells, and what it lets through would have no epsilon"
            )


def _check_private(section: PrivateColumnsSection, data: DataSection, penalised: Iterable[str]) -> None:
    private, public = section.columns, section.public
    _refuse_twice("privacy.columns.public", public)
    both = [name for name in private if name in public]
    if both:
        raise ValueError(f"privacy.columns: {_listed(both)} is private and public; remove it from one of them")
    for what, name in (*(("id column", name) for name in data.id_columns), ("entity", section.entity)):
        if name in private:
            raise ValueError(f"privacy.columns: the {what} {name} cannot be private: rows are joined or drawn by it")
    if data.has_open_ranges:  # checked once it is known which columns are in use
        return
    used = dict.fromkeys([*data.feature_columns, *penalised])
    undeclared = [name for name in used if name not in private and name not in public]
    if undeclared:
        raise ValueError(
            f"privacy.columns: {len(undeclared)} of {len(used)} columns in use are neither private nor public: "
            f"{_listed(undeclared)}; add them to columns or to public"
        )
    _check_symbols(private, data)
    unused = [name for name in public if name not in used]
    if unused:
        raise ValueError(f"privacy.columns.public names {_listed(unused)}, which no feature reads")
    for feature in data.features:
        in_range = [name for name in feature.source_columns if isinstance(private.get(name), RangeDomain)]
        if in_range and not isinstance(feature, _NUMBER_KINDS):
            raise ValueError(
                f"privacy.columns: {in_range[0]} has minimum and maximum, which are for numbers, and feature "
                f"{feature.key} is of kind {feature.kind}; declare values"
            )
        if in_range and feature.reads_exact_text:
            raise ValueError(
                f"privacy.columns: {in_range[0]} has minimum and maximum, whose cells are drawn with a decimal point, "
                f"and feature {feature.key} has decimal or thousands; declare values, or write its numbers with a point"
            )


def _check_symbols(private: Mapping[str, AnyDomain], data: DataSection) -> None:
    """Refuses values that would be one symbol: the epsilon of the column is computed for as many as are declared."""
    for name, domain in private.items():
        if isinstance(domain, ValuesDomain) and name not in data.columns_as_written:
            symbols = [canonical_text(one) for one in domain.symbols]
            if len(set(symbols)) < len(symbols):
                raise ValueError(
                    f"privacy.columns.columns.{name} names one value in several notations, such as 3 and 3.0; name each"
                    " value once"
                )


def _refuse_twice(key: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{key} names {_listed(twice)} twice")


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown} and {len(names) - SHOWN_NAMES} more"
