"""The sections that declare a label private."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from party.configuration.strict import StrictModel

LEAST_EPSILON = 0.01  # below, drawn labels hold nothing that could be learned
MOST_EPSILON = 16.0


class LabelPrivacy(StrictModel):
    """The privacy of a label with classes.

    Attributes:
        epsilon: privacy loss of this label in one row, over all epochs and runs.
    """

    epsilon: float = Field(ge=LEAST_EPSILON, le=MOST_EPSILON)


class NumberPrivacy(LabelPrivacy):
    """The privacy of a label that is a number.

    Attributes:
        minimum: public lower bound; smaller numbers count as this one.
        maximum: public upper bound; larger numbers count as this one.
    """

    minimum: float = Field(allow_inf_nan=False)
    maximum: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.minimum < self.maximum:
            raise ValueError("minimum must be below maximum")
        return self
