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
    """

    name: str
    kind: str
    start: int
    width: int
    target: str | None = None

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
    """

    section: AnyModel
    features: tuple[FeatureLayout, ...] = Field(strict=False)
    size: int

    @property
    def slots(self) -> int:
        """Slots of all features together."""
        return self.features[-1].end


class FuseLayout(StrictModel):
    """What is needed to build a fuse model again.

    Attributes:
        section: its hyper-parameters.
        units: width of each aggregated hidden by name.
        labels: what it was trained to tell.
    """

    section: AnyFuse
    units: dict[str, int]
    labels: Labels
