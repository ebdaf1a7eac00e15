"""The data section of a party's configuration: files, features and labels."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from party.configuration.column_range import ColumnRange
from party.configuration.csv_format import CsvSection
from party.configuration.data_files import DEFAULT_MAXIMUM_BYTES, DEFAULT_MAXIMUM_ROWS
from party.configuration.datetime_feature import DatetimeFeature
from party.configuration.feature_section import FeatureSection, Malformed, columns_as_written, refuse_exact
from party.configuration.joins import Files, JoinSection, KeyColumns, KeyRule, Transforms, check_transformed
from party.configuration.labels import Labels, group_columns
from party.configuration.negatives import NegativesSection
from party.configuration.numeric_feature import NumericFeature
from party.configuration.private_labels import check_label_privacy, epsilon_of_a_row
from party.configuration.strict import StrictModel

MAXIMUM_FEATURES = 4096


class HashFeature(FeatureSection):
    """A text hashed into a fixed number of buckets: index 0 is missing, 1 to `buckets` are values.

    Attributes:
        buckets: number of buckets for values.
        salt: keeps equal texts of two features, or of two projects, apart.
        algorithm: the hash function, named so that a later default cannot change a model silently.
    """

    kind: Literal["hash"]
    buckets: int = Field(ge=1, le=2**31 - 2)
    salt: str = Field(default="", max_length=64)
    algorithm: Literal["blake2b-64"] = "blake2b-64"


class VocabularyFeature(FeatureSection):
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


class IntegerBucketsFeature(FeatureSection):
    """A whole number put into buckets: index 0 is missing, 1 is below the first boundary, and so on.

    Attributes:
        boundaries: lower bounds, inclusive, strictly ascending.
        malformed: whether a cell that is not a whole number is an error or missing.
    """

    kind: Literal["integer_buckets"]
    boundaries: tuple[int, ...] = Field(min_length=1, strict=False)
    malformed: Malformed = "error"
    _is_a_number = field_validator("exact")(refuse_exact)

    @field_validator("boundaries")
    @classmethod
    def _ascending(cls, boundaries: tuple[int, ...]) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in itertools.pairwise(boundaries)):
            raise ValueError("boundaries must be strictly ascending")
        return boundaries


def _check_separator(separator: str | None, lists: bool) -> None:
    if separator is not None and lists:
        raise ValueError("needs a separator between values, or lists: true where cells are lists, and not both")


class MultiHotFeature(FeatureSection):
    """A text of several values, or a list: a set of vocabulary indices, padded with 0.

    Attributes:
        separator: separator between two values of a text; lists of a Parquet file need none.
        lists: whether texts are lists as JSON and Python write them, in place of a separator.
        value_separator: separator between a value and the number that weighs it; None if all weigh 1.
        minimum_count: values in fewer training rows count as unknown.
        maximum_values: most values of a cell; more are an error.
    """

    has_several: ClassVar[bool] = True
    kind: Literal["multi_hot"]
    separator: str | None = Field(default=None, min_length=1)
    lists: bool = False
    value_separator: str | None = Field(default=None, min_length=1)
    minimum_count: int = Field(default=1, ge=1)
    maximum_values: int = Field(default=64, ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _check_separator(self.separator, self.lists)
        if self.value_separator is not None and self.value_separator == self.separator:
            raise ValueError("separator and value_separator must differ")
        return self


class SequenceFeature(FeatureSection):
    """A text of several values, or a list, in order, the most recent one last: the latest ones, padded in front.

    Attributes:
        separator: separator between two values of a text; lists of a Parquet file need none.
        lists: whether texts are lists as JSON and Python write them, in place of a separator.
        maximum_length: number of latest values to keep.
        minimum_count: values in fewer training rows count as unknown.
        target: a vocabulary feature of this party with the same kind of values: the item that this history is scored
            against.
        share_embedding: whether values and target share one vocabulary and one embedding table; needs a target.
    """

    has_several: ClassVar[bool] = True
    kind: Literal["sequence"]
    separator: str | None = Field(default=None, min_length=1)
    lists: bool = False
    maximum_length: int = Field(ge=1, le=1024)
    minimum_count: int = Field(default=1, ge=1)
    target: str | None = Field(default=None, min_length=1)
    share_embedding: bool | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _check_separator(self.separator, self.lists)
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
    HashFeature
    | VocabularyFeature
    | IntegerBucketsFeature
    | NumericFeature
    | DatetimeFeature
    | MultiHotFeature
    | SequenceFeature,
    Field(discriminator="kind"),
]


def check_exact(features: Sequence[AnyFeature]) -> None:
    """Refuses features that disagree on what the cells of a column mean; numbers mean the same in any case.

    Args:
        features: the features of a party.

    Raises:
        ValueError: the text names the column or the feature.
    """
    settings: dict[str, bool] = {}
    by_key = {feature.key: feature.exact for feature in features}
    for feature in features:
        if isinstance(feature, NumericFeature | IntegerBucketsFeature | DatetimeFeature):
            continue
        for column in feature.source_columns:
            if settings.setdefault(column, feature.exact) != feature.exact:
                raise ValueError(f"features of column {column} differ in exact; set it for all of them or for none")
    for feature in features:
        if isinstance(feature, SequenceFeature) and feature.shares and by_key[str(feature.target)] != feature.exact:
            raise ValueError(f"feature {feature.key}: exact must be as for its target {feature.target}")


class DataSection(StrictModel):
    """The files, features and labels that a party reads.

    Attributes:
        id: column, or columns, by which the rows of the parties are joined; optional at a label party with joins.
        datasets: name of each dataset and its CSV or Parquet files; paths are relative to the configuration file.
        tables: name of each table and its files, one row for each entity; at a feature party, in place of datasets.
        csv: how all CSV files are written.
        transforms: what happens to each cell of a table's id before it is compared.
        transformed: whether the id's columns already hold the results of the transformations.
        joins: how the rows of the label party refer to the tables of its peers.
        features: the columns that feed the base model.
        labels: what the model is trained to predict, by name; only at the label party.
        unlabelled: datasets without the columns of the labels, which can only be predicted.
        unlabelled_rows: what to do about rows that lack a label: `refuse` their file; or `drop`, which leaves them out
            of datasets that are trained on, and elsewhere out of metrics.
        negatives: rows that are drawn for each positive one; only at the label party.
        sample_weight: column with the weight of each row in training; only at the label party, and only in the files
            of datasets that are trained on.
        label_independent_weights: whether the owner declares that sample_weight says nothing about labels.
        maximum_rows: most rows of a dataset's files.
        maximum_bytes: most bytes of a dataset's files, as they are stored and once they are unfolded.
        ranges: what `columns` of the features stood for in the headers of the files; no key of the file.
    """

    id: KeyColumns | None = None
    datasets: Files = Field(default={}, min_length=1)
    tables: Files = Field(default={}, min_length=1)
    csv: CsvSection = CsvSection()
    transforms: Transforms = ()
    transformed: bool = False
    joins: tuple[JoinSection, ...] = Field(default=(), strict=False)
    features: tuple[AnyFeature, ...] = Field(default=(), max_length=MAXIMUM_FEATURES, strict=False)
    labels: Labels = Field(default={})
    unlabelled: tuple[str, ...] = Field(default=(), strict=False)
    unlabelled_rows: Literal["refuse", "drop"] = "refuse"
    negatives: NegativesSection | None = None
    sample_weight: str | None = Field(default=None, min_length=1)
    label_independent_weights: bool = False
    maximum_rows: int = Field(default=DEFAULT_MAXIMUM_ROWS, ge=1)
    maximum_bytes: int = Field(default=DEFAULT_MAXIMUM_BYTES, ge=1)
    ranges: tuple[ColumnRange, ...] = Field(default=(), exclude=True)

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        if bool(self.tables) == bool(self.datasets):
            both = "not both" if self.tables else "and neither is given"
            raise ValueError(f"needs datasets, or tables at a feature party that is joined by them, {both}")
        if self.id is None and not self.joins:
            raise ValueError("id is missing: it names the column by which the rows of the parties are joined")
        if self.tables and self.joins:
            raise ValueError("joins belong to the label party, and tables to a feature party")
        if not self.tables and len(self.id_columns) > 1:
            raise ValueError("id: several columns are for the key of tables, or for data.joins at the label party")
        if not self.tables and (self.transforms or self.transformed):
            raise ValueError("transforms and transformed belong to tables; at the label party each join has its own")
        check_transformed(self.transforms, self.transformed)
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = Counter(name for feature in self.features for name in {feature.key, *feature.encoded_names})
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            raise ValueError(f"features named twice: {', '.join(twice)}; give one of them a name")
        columns = set(self.feature_columns)
        # A table's key stands in many rows: a model learns something of each entity.
        if not self.tables and columns & set(self.id_columns):
            raise ValueError("the id column cannot be a feature: an id identifies a row and generalises to no other")
        sources = {label.source for label in self.labels.values()}
        if columns & sources:
            raise ValueError("the label's column cannot be a feature: the model would only copy it")
        if any(sources & set(join.key) for join in self.joins):
            raise ValueError("the label's column cannot be the key of a join: partners would learn labels by it")
        if sources & set(group_columns(self.labels)):
            raise ValueError("the label's column cannot make the groups of a metric: each would have one class")
        if self.label_epsilon is not None and self.joins and self.id is None:
            raise ValueError("private labels need id beside joins: labels are drawn once for each id")
        if self.label_epsilon is not None and sources & {*self.id_columns, self.sample_weight}:
            raise ValueError("a private label's column can be neither id nor sample_weight, which depend on it")
        for name in self.unlabelled:
            if name not in self.datasets:
                raise ValueError(f"unlabelled names {name}, which is not in datasets")
        drops = self.unlabelled_rows == "drop"
        if (self.unlabelled or drops or self.sample_weight is not None) and not self.labels:
            raise ValueError("unlabelled, unlabelled_rows and sample_weight belong to the party with labels")
        check_label_privacy(self.labels, self.sample_weight is not None, self.label_independent_weights)
        return self

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        if self.has_open_ranges:
            return self
        kinds = {feature.key: feature.kind for feature in self.features}
        targets = {one.key: one.target for one in self.features if isinstance(one, SequenceFeature) and one.target}
        for key, target in targets.items():
            if kinds.get(target) != "vocabulary":
                received = kinds.get(target, "no feature")
                raise ValueError(f"feature {key}: target must be a vocabulary of this party; {target} is {received}")
        check_exact(self.features)
        return self

    @property
    def label_epsilon(self) -> float | None:
        """Privacy loss of all labels of a row together; None if they are used as they are."""
        return epsilon_of_a_row(self.labels)

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """Names of the columns that features read, each once, in the order of the configuration."""
        return tuple(dict.fromkeys(column for feature in self.features for column in feature.source_columns))

    @property
    def other_columns(self) -> frozenset[str]:
        """Columns that no pattern of a feature stands for: ids, labels, weights, keys, and those of other features."""
        in_ranges = {column for one in self.ranges for column in one.columns}
        patterns = [*(one.patterns for one in self.ranges), *(feature.columns for feature in self.features)]
        named = {column for column in self.feature_columns if column not in in_ranges}.union(*patterns)
        keys = {*self.id_columns, *(column for join in self.joins for column in join.key)}
        labels = {label.source for label in self.labels.values()}
        return frozenset(named | keys | labels | ({self.sample_weight} if self.sample_weight else set()))

    @property
    def has_open_ranges(self) -> bool:
        """Whether it is not known yet which columns the patterns of features stand for."""
        return any(feature.column is None for feature in self.features)

    @property
    def columns_as_written(self) -> frozenset[str]:
        """See the function of this name."""
        return columns_as_written(self.features)

    @property
    def files(self) -> Files:
        """The files of all datasets, or of all tables, by name."""
        return self.tables or self.datasets

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns of the id; empty without one."""
        return self.id or ()

    @property
    def id_name(self) -> str:
        """The id for readers: its column, or its columns separated by commas; empty without one."""
        return ", ".join(self.id_columns)

    @property
    def id_rule(self) -> KeyRule | None:
        """How the id of a row is made; None without one."""
        return None if self.id is None else KeyRule(self.id, self.transforms, self.transformed)

    @property
    def key_rules(self) -> Mapping[str, KeyRule]:
        """How the keys of a row are made, by peer whose table they refer to."""
        return {join.peer: join.rule for join in self.joins}

    def columns(self, dataset: str, *, trained_on: bool) -> tuple[str, ...]:
        """The columns, besides those of keys, that a dataset's file must have, ascending.

        Args:
            dataset: name of the dataset or table.
            trained_on: whether it may be trained on, so that its rows have weights where the owner gives any.
        """
        columns = set(self.feature_columns)
        if dataset not in self.unlabelled:
            columns |= {label.source for label in self.labels.values()} | set(group_columns(self.labels))
            if trained_on and self.sample_weight is not None:
                columns.add(self.sample_weight)
        return tuple(sorted(columns))
