"""The data section of a party's configuration: files, features and labels."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from party.configuration.labels import Labels
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


class SequenceFeature(Feature):
    """A text of several values in order, the most recent one last: the latest ones, padded in front.

    Attributes:
        separator: what stands between two values.
        maximum_length: keep only so many of the latest values.
        minimum_count: values in fewer training rows count as unknown.
        target: a vocabulary feature of this party that the values are of: the item to be judged by this history.
        share_embedding: whether values and target have one vocabulary and one embedding table; only with a target.
    """

    kind: Literal["sequence"]
    separator: str = Field(min_length=1)
    maximum_length: int = Field(ge=1, le=1024)
    minimum_count: int = Field(default=1, ge=1)
    target: str | None = Field(default=None, min_length=1)
    share_embedding: bool | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.share_embedding is not None and self.target is None:
            raise ValueError("share_embedding needs a target to share with")
        if self.shares and self.minimum_count != 1:
            raise ValueError("minimum_count belongs to the target, whose vocabulary the sequence shares")
        return self

    @property
    def shares(self) -> bool:
        """Whether the embedding table is the target's."""
        return self.target is not None and self.share_embedding is not False


AnyFeature = Annotated[
    HashFeature | VocabularyFeature | IntegerBucketsFeature | NumericFeature | MultiHotFeature | SequenceFeature,
    Field(discriminator="kind"),
]


class DataSection(StrictModel):
    """What a party reads.

    Attributes:
        id: column that joins the rows of the parties.
        datasets: name of each dataset and its CSV or Parquet file, relative to the configuration file.
        features: the columns that feed the base model.
        labels: what the model is trained to tell, by name; at the label party only.
        unlabelled: datasets without the labels' columns, which can only be predicted.
        sample_weight: column with what each row weighs in training; at the label party only.
    """

    id: str = Field(min_length=1)
    datasets: dict[Annotated[str, Field(pattern=DATASET_PATTERN)], str] = Field(min_length=1)
    features: tuple[AnyFeature, ...] = Field(default=(), strict=False)
    labels: Labels = Field(default={})
    unlabelled: tuple[str, ...] = Field(default=(), strict=False)
    sample_weight: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [feature.key for feature in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"features named twice: {', '.join(twice)}; give one of them a name")
        columns = {feature.column for feature in self.features}
        if self.id in columns:
            raise ValueError("the id column cannot be a feature: an id identifies a row and generalises to no other")
        if columns & {label.source for label in self.labels.values()}:
            raise ValueError("the label's column cannot be a feature: the model would only copy it")
        for name in self.unlabelled:
            if name not in self.datasets:
                raise ValueError(f"unlabelled names {name}, which is not in datasets")
        if (self.unlabelled or self.sample_weight is not None) and not self.labels:
            raise ValueError("unlabelled and sample_weight belong to the party with labels")
        return self

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        kinds = {feature.key: feature.kind for feature in self.features}
        targets = {one.key: one.target for one in self.features if isinstance(one, SequenceFeature) and one.target}
        for key, target in targets.items():
            if kinds.get(target) != "vocabulary":
                received = kinds.get(target, "no feature")
                raise ValueError(f"feature {key}: target must be a vocabulary of this party; {target} is {received}")
        return self

    def columns(self, dataset: str) -> tuple[str, ...]:
        """The columns, besides the id, that a dataset's file must have, ascending."""
        columns = {feature.column for feature in self.features}
        if dataset not in self.unlabelled:
            columns |= {label.source for label in self.labels.values()}
            if self.sample_weight is not None:
                columns.add(self.sample_weight)
        return tuple(sorted(columns))
