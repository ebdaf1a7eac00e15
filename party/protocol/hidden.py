"""What a base model sends: named tensors, and how they meet those of other parties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Tensors = Mapping[str, FloatArray]


class Aggregation(Enum):
    """How the hiddens of one name, from several parties, become one input of the fuse model."""

    CONCAT = "concat"
    SUM = "sum"


@dataclass(frozen=True)
class HiddenSpec:
    """One named float32 output of a base model.

    Attributes:
        name: of the tensor.
        units: its width; a batch of it has shape (batch, units).
        aggregation: how it meets the tensors of that name of other parties.
    """

    name: str
    units: int
    aggregation: Aggregation


@dataclass(frozen=True)
class LossAndGradients:
    """What a training batch yields at the label party.

    Attributes:
        loss: mean over the batch, regularisation included.
        outputs: of all labels side by side, float32 (batch, outputs).
        measures: means over the batch, by name, besides the loss.
        gradients: of the loss by every received hidden, by party and name.
    """

    loss: float
    outputs: FloatArray
    measures: Mapping[str, float]
    gradients: Mapping[str, Tensors]


@dataclass(frozen=True)
class Inferred:
    """What a batch outside of training yields.

    Attributes:
        loss: mean over the batch, without weights and regularisation.
        outputs: of all labels side by side, float32 (batch, outputs).
        measures: means over the batch, by name, besides the loss.
    """

    loss: float
    outputs: FloatArray
    measures: Mapping[str, float]


Step = Callable[[], Callable[[], LossAndGradients]]  # trains when called; what that returns tells what it came to
