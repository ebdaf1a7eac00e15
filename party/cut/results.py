"""The results of the fuse model for a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from party.cut.hidden import FloatArray


@dataclass(frozen=True)
class TrainingResult:
    """The loss of a training batch and its gradients.

    Attributes:
        loss: mean loss over the batch, regularisation included.
        outputs: outputs of all labels side by side, float32 (batch, outputs).
        measures: means over the batch besides the loss, by name.
        gradients: gradients of the loss with respect to each party's matrix, by party, float32 (batch, columns).
    """

    loss: float
    outputs: FloatArray
    measures: Mapping[str, float]
    gradients: Mapping[str, FloatArray]


@dataclass(frozen=True)
class InferenceResult:
    """The outputs of a batch outside of training.

    Attributes:
        loss: mean loss over the rows that have all labels, without weights and regularisation; NaN without any.
        outputs: outputs of all labels side by side, float32 (batch, outputs).
        measures: means over the same rows besides the loss, by name.
    """

    loss: float
    outputs: FloatArray
    measures: Mapping[str, float]


PendingResult = Callable[[], TrainingResult]
"""Copies the results of a training step out of TensorFlow when called."""
PreparedStep = Callable[[], PendingResult]
"""Runs a training step whose inputs are ready when called."""
