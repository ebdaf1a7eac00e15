"""The data section of a party's configuration: files, features and labels."""

from __future__ import annotations

import itertools
import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from party.configuration.strict import DATASET_PATTERN, StrictModel

Malformed = Literal["error", "missing"]


class Feature(StrictModel):
    """What every kind of feature has.

    Attributes:
        column: name of the column in the files.
        name: name of the feature; the column's where absent.
        missing: further texts that count as missing; an empty cell always does.
    """

    column: str = Field(min_length=1)
    name: str | None = Field(default=None, min_length=1)
    missing: tuple[str, ...] = Field(default=(), strict=False)

    @property
    def key(self) -> str:
        """The feature's name in arrays, tables and messages."""
        return self.name or self.column


class HashFeature(Feature):
    """A text hashed into a fixed number of buckets: index 0 is missing, 1 to `buckets` are values.

    Attributes:
        buckets: number of buckets for values.
        salt: keeps equal texts of two features, or of two projects, apart.
        algorithm: the hash, by name, so that a later one never changes a model silently.
    """

    kind: Literal["hash"]
    buckets: int = Field(ge=1, le=2**31 - 2)
    salt: str = Field(default="", max_length=64)
    algorithm: Literal["blake2b-64"] = "blake2b-64"


class VocabularyFeature(Feature):
    """One of the texts that the training rows hold: index 0 is missing, 1 is unknown, then the texts.

    Attributes:
        minimum_count: texts in fewer training rows count as unknown.
        maximum_size: keep only the most frequent texts.
        values: a given vocabulary instead of one learned from training rows.
    """

    kind: Literal["vocabulary"]
    minimum_count: int = Field(default=1, ge=1)
    maximum_size: int | None = Field(default=None, ge=1)
    values: tuple[str, ...] | None = Field(default=None, min_length=1, strict=False)


class IntegerBucketsFeature(Feature):
    """A whole number put into buckets: index 0 is missing, 1 is below the first boundary, and so on.

    Attributes:
        boundaries: lower bounds, inclusive, strictly ascending.
        malformed: what a cell is that is no whole number: an error, or missing.
    """

    kind: Literal["integer_buckets"]
    boundaries: tuple[int, ...] = Field(min_length=1, strict=False)
    malformed: Malformed = "error"

    @field_validator("boundaries")
    @classmethod
    def _ascending(cls, boundaries: tuple[int, ...]) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in itertools.pairwise(boundaries)):
            raise ValueError("boundaries must be strictly ascending")
        return boundaries


class NumericFeature(Feature):
    """A number, standardised by mean and deviation of the training rows; missing becomes 0, the mean.

    Attributes:
        malformed: what a cell is that is no finite number: an error, or missing.
    """

    kind: Literal["numeric"]
    malformed: Malformed = "error"


class MultiHotFeature(Feature):
    """A text of several values: a set of vocabulary indices, padded with 0.

    Attributes:
        separator: what stands between two values.
        minimum_count: values in fewer training rows count as unknown.
        maximum_values: further values of a cell are an error.
    """

    kind: Literal["multi_hot"]
    separator: str = Field(min_length=1)
    minimum_count: int = Field(default=1, ge=1)
    maximum_values: int = Field(default=64, ge=1)


AnyFeature = Annotated[
    HashFeature | VocabularyFeature | IntegerBucketsFeature | NumericFeature | MultiHotFeature,
    Field(discriminator="kind"),
]

LABEL_RULE = re.compile(r"^\s*(?P<column>[^<>=!]+?)\s*(?P<operator>>=|<=|==|!=|>|<)\s*(?P<operand>\S.*?)\s*$")


class LabelSection(StrictModel):
    """Where the label comes from.

    Attributes:
        rule: `COLUMN OPERATOR VALUE`, such as `Rating > 3`; true is the positive class.
        unlabelled: datasets without the rule's column, which can only be predicted.
    """

    rule: str
    unlabelled: tuple[str, ...] = Field(default=(), strict=False)

    @field_validator("rule")
    @classmethod
    def _parses(cls, rule: str) -> str:
        if LABEL_RULE.match(rule) is None:
            raise ValueError("must read COLUMN OPERATOR VALUE with one of > >= < <= == !=, such as Rating > 3")
        return rule

    @property
    def parts(self) -> tuple[str, str, str]:
        """Column, operator and value of the rule."""
        match = LABEL_RULE.match(self.rule)
        if match is None:
            raise ValueError("label rule was not validated")
        return match["column"], match["operator"], match["operand"]


class DataSection(StrictModel):
    """What a party reads.

    Attributes:
        id: column that joins the rows of the parties.
        datasets: name of each dataset and its CSV file, relative to the configuration file.
        features: the columns that feed the base model.
        label: at the label party only.
    """

    id: str = Field(min_length=1)
    datasets: dict[Annotated[str, Field(pattern=DATASET_PATTERN)], str] = Field(min_length=1)
    features: tuple[AnyFeature, ...] = Field(default=(), strict=False)
    label: LabelSection | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [feature.key for feature in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"features named twice: {', '.join(twice)}; give one of them a name")
        if self.id in {feature.column for feature in self.features}:
            raise ValueError("the id column cannot be a feature: an id identifies a row and generalises to no other")
        if self.label is not None and self.label.parts[0] in {feature.column for feature in self.features}:
            raise ValueError("the label's column cannot be a feature: the model would only copy it")
        for name in self.label.unlabelled if self.label is not None else ():
            if name not in self.datasets:
                raise ValueError(f"label.unlabelled names {name}, which is not in datasets")
        return self

    def columns(self, dataset: str) -> tuple[str, ...]:
        """The columns, besides the id, that a dataset's file must have, ascending."""
        columns = {feature.column for feature in self.features}
        if self.label is not None and dataset not in self.label.unlabelled:
            columns.add(self.label.parts[0])
        return tuple(sorted(columns))
