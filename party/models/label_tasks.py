"""The prediction tasks of a fuse model, with their losses and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from party.models.fuse_outputs import FuseOutputs
from party.models.losses import TaskLosses
from party.models.scores import Scores


@dataclass(frozen=True)
class LabelTasks:
    """The labels of a run as tasks of its fuse model.

    Attributes:
        outputs: outputs of the fuse model.
        losses: losses of the labels.
        scores: computes the metrics of the labels.
    """

    outputs: FuseOutputs
    losses: TaskLosses
    scores: Scores
