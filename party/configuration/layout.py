"""What has to be kept of a model to build it again."""

from __future__ import annotations

from pydantic import Field

from party.configuration.labels import Labels
from party.configuration.models import AnyFuse, AnyModel
from party.configuration.strict import StrictModel


class FeatureLayout(StrictModel):
    """Where a feature stands in the packed arrays.

    Attributes:
        name: of the feature.
        kind: of the feature.
        start: its first slot.
        width: its slots.
        target: feature that a sequence is judged against, if any.
        size: embedding rows that it needs.
        table: feature whose embedding rows these are; its own where None.
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
    """What is needed to build a base model again.

    Attributes:
        section: its hyper-parameters.
        features: where each feature stands.
        size: rows of the embedding table.
        source_sha256: digest of the file with an owner's own model, hexadecimal.
    """

    section: AnyModel
    features: tuple[FeatureLayout, ...] = Field(strict=False)
    size: int
    source_sha256: str = ""

    @property
    def slots(self) -> int:
        """Slots of all features together."""
        return self.features[-1].end


class FuseLayout(StrictModel):
    """What is needed to build a fuse model again.

    Attributes:
        section: its hyper-parameters.
        units: width of each aggregated hidden by name.
        aggregations: how each hidden meets those of other parties, `concat` or `sum`.
        labels: what it was trained to tell.
        source_sha256: digest of the file with an owner's own model, hexadecimal.
    """

    section: AnyFuse
    units: dict[str, int]
    aggregations: dict[str, str] = Field(default={})
    labels: Labels
    source_sha256: str = ""
