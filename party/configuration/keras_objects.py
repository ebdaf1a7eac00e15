"""Keras objects that a configuration names: optimizers, schedules, losses and metrics, with their arguments."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from party.configuration.patterns import ARGUMENT_PATTERN, KERAS_NAME_PATTERN
from party.configuration.strict import StrictModel

MAXIMUM_ARGUMENTS = 32
MAXIMUM_LISTED = 33  # the values of 32 boundaries of a schedule: 1,000 took Keras minutes to build
MAXIMUM_TEXT = 256
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=MAXIMUM_TEXT)]
Argument = bool | Whole | Number | Text | None
Arguments = Annotated[
    dict[
        Annotated[str, Field(pattern=ARGUMENT_PATTERN)],
        Argument | Annotated[tuple[Argument, ...], Field(strict=False, max_length=MAXIMUM_LISTED)],
    ],
    Field(max_length=MAXIMUM_ARGUMENTS),
]


class KerasObject(StrictModel):
    """A class of Keras by its name, with the arguments of its constructor.

    Attributes:
        name: as Keras writes it, such as `CosineDecay`, or in lower case with underscores.
        arguments: plain values by the names of the constructor's parameters.
    """

    name: str = Field(pattern=KERAS_NAME_PATTERN)
    arguments: Arguments = Field(default={})


def named(value: object) -> object:
    """A name alone as the object of this name without arguments."""
    return {"name": value} if isinstance(value, str) else value


NamedKerasObject = Annotated[
    KerasObject,
    BeforeValidator(named, json_schema_input_type=Annotated[str, Field(pattern=KERAS_NAME_PATTERN)] | KerasObject),
]
