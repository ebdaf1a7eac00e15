"""Hiddens: the named tensors that a base model sends, and how they are aggregated over the parties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Present = npt.NDArray[np.bool_]
"""Which rows of a batch have the hiddens of a party, bool (batch,)."""
Matrices = Mapping[str, FloatArray]
"""Matrices by name, float32 (batch, columns)."""
Masks = Mapping[str, Present]
"""Which rows of a batch are present, by party."""


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
