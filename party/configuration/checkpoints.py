"""The section `checkpoints` of a party's file."""

from __future__ import annotations

from pydantic import Field

from party.configuration.strict import StrictModel


class PartyCheckpointsSection(StrictModel):
    """The checkpoints that this party retains of a run to resume from.

    Attributes:
        keep: number of checkpoints to retain, the latest of those that all parties have. An older one is used if a
            later one is damaged.
        allow_other_numerics: whether a run may resume with other libraries, threads or another processor than it
            started with. Its last bits then differ from those of a run that was never stopped.
    """

    keep: int = Field(default=2, ge=2)
    allow_other_numerics: bool = False
