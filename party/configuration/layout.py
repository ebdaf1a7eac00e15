"""What has to be kept of a model to build it again."""

from __future__ import annotations

from pydantic import Field

from party.configuration.party import DeepFMFuse, DeepFMModel
from party.configuration.strict import StrictModel


class BaseLayout(StrictModel):
    """What is needed to build a base model again.

    Attributes:
        section: its hyper-parameters.
        widths: slots of each feature.
        size: rows of the embedding table.
    """

    section: DeepFMModel
    widths: tuple[int, ...] = Field(strict=False)
    size: int


class FuseLayout(StrictModel):
    """What is needed to build a fuse model again.

    Attributes:
        section: its hyper-parameters.
        units: width of each aggregated hidden by name.
    """

    section: DeepFMFuse
    units: dict[str, int]
