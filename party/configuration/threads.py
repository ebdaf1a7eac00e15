"""How many threads a party computes with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from party.configuration.strict import StrictModel


class ThreadsSection(StrictModel):
    """Threads of TensorFlow. The same bits need the same numbers of threads.

    Attributes:
        intra_operation: threads inside one operation; `auto` is as many as there are cores for this process, up to
            MAXIMUM_AUTOMATIC_THREADS; 0 leaves it to TensorFlow.
        inter_operation: operations that run at the same time; 0 leaves it to TensorFlow.
    """

    intra_operation: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    inter_operation: int = Field(default=1, ge=0)
