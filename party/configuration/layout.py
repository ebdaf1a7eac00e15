"""The stored layouts of models, from which they are built again."""

from __future__ import annotations

from pydantic import Field

from party.configuration.labels import Labels
from party.configuration.models import AnyFuse, AnyModel
from party.configuration.strict import StrictModel

SUM = "sum"


class FeatureLayout(StrictModel):
    """The place of a feature in the packed arrays.

    Attributes:
        name: name of the feature.
        kind: kind of the feature.
        start: its first slot.
        width: number of its slots.
        target: the feature that a sequence is scored against, if any.
        size: number of embedding rows that it needs.
        table: the feature that owns these embedding rows; None if the feature owns them itself.
    """

    name: str
    kind: str
    start: int
    width: int
    target: str | None = None
    size: int = 1
    table: str | None = None

    @property
    def end(self) -> int:
        """The first slot after it."""
        return self.start + self.width


class BaseLayout(StrictModel):
    """The stored layout of a base model.

    Attributes:
        section: the model's hyper-parameters.
        features: the place of each feature.
        size: number of rows of the embedding table.
        source_sha256: hexadecimal digest of the Python file of a model that the owner wrote; else empty.
        summed: whether the parties add up all hiddens, so that a built-in model ends in a linear layer.
    """

    section: AnyModel
    features: tuple[FeatureLayout, ...] = Field(strict=False)
    size: int
    source_sha256: str = ""
    summed: bool = False

    @property
    def slots(self) -> int:
        """Number of slots of all features together."""
        return self.features[-1].end


class OutputScale(StrictModel):
    """The scale of a label's numbers: a model learns (number - centre) / spread.

    Attributes:
        centre: the number that a model without any weights predicts.
        spread: the difference that counts as 1.
    """

    centre: float = Field(allow_inf_nan=False, repr=False)
    spread: float = Field(gt=0.0, allow_inf_nan=False, repr=False)


class FuseLayout(StrictModel):
    """The stored layout of a fuse model.

    Attributes:
        section: the model's hyper-parameters.
        units: width of each aggregated hidden by name.
        aggregations: how each hidden is combined with those of other parties, `concat` or `sum`, by name.
        labels: the labels that it was trained to predict.
        source_sha256: hexadecimal digest of the Python file of a model that the owner wrote; else empty.
        columns: units of the hiddens of every party by party and name, in the order of the columns of its matrix.
        absent: feature parties that there are learned vectors for, ascending; they replace the hiddens of absent rows.
        scales: scales of the labels whose numbers it learns in units of their deviation, by label.
    """

    section: AnyFuse
    units: dict[str, int]
    aggregations: dict[str, str] = Field(default={})
    labels: Labels
    source_sha256: str = ""
    columns: dict[str, dict[str, int]] = Field(default={})
    absent: tuple[str, ...] = Field(default=(), strict=False)
    scales: dict[str, OutputScale] = Field(default={})

    @property
    def summed(self) -> bool:
        """Whether the parties add up all hiddens."""
        return bool(self.aggregations) and set(self.aggregations.values()) == {SUM}
