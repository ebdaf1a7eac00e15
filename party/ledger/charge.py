"""What a session spends of one secret, as the ledger records it."""

from __future__ import annotations

from pydantic import Field

from party.configuration.budgets import SecretName
from party.configuration.strict import StrictModel

NO_GENERATION = 0  # of an exact release, which has no draws; mechanisms count from 1


class Charge(StrictModel):
    """The most that a session reveals of one secret to its receivers.

    Attributes:
        secret: what is revealed: all labels of a row, or the declared columns of an entity.
        generation: number of the draws that were released; other draws have another number.
        epsilon: of the mechanism; None where no mechanism is between the secret and its receivers: an exact release.
        audience: names of the parties and the coordinator that receive it.
    """

    secret: SecretName
    generation: int = Field(ge=0)
    epsilon: float | None = Field(gt=0, allow_inf_nan=False)
    audience: tuple[str, ...] = Field(min_length=1, strict=False)
