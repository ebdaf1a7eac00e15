"""Hiddens: the named tensors that a base model sends, and how they are aggregated over the parties."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]


class Aggregation(Enum):
    """How hiddens of one name from several parties are combined into one input of the fuse model."""

    CONCAT = "concat"
    SUM = "sum"


@dataclass(frozen=True)
class HiddenSpec:
    """One named float32 output of a base model.

    Attributes:
        name: name of the tensor.
        units: its width; a batch has shape (batch, units).
        aggregation: how it is combined with the tensors of that name from other parties.
    """

    name: str
    units: int
    aggregation: Aggregation
