"""A fuse model outside of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.cut.hidden import FloatArray, Masks, Matrices, Rows
from party.cut.layout import Layouts
from party.cut.results import InferenceResult
from party.data.rows import RowSource
from party.engine.absent_vectors import AbsentVectors
from party.engine.aggregation import aggregate
from party.engine.compiled_call import CompiledCall
from party.engine.fuse_pass import reported_means, side_by_side
from party.engine.label_tensors import LabelTensors, gather_labels
from party.models.label_tasks import LabelTasks

ALL_PRESENT: Masks = {}


@dataclass(frozen=True)
class _Inferred:
    """The tensors of a batch outside of training.

    Attributes:
        outputs: outputs of all labels side by side, float32 (batch, outputs).
        losses: mean loss of each label, float32 (labels,).
        reported: means of the reported outputs over the batch.
    """

    outputs: tf.Tensor
    losses: tf.Tensor
    reported: list[tf.Tensor]


class FuseModel:
    """The half of the joined model above the cut, outside of training.

    It treats the label party's own base model like that of any other party:
    its hiddens are inputs, their gradients are outputs. So its forward and
    backward passes need not delay the gradients for the feature parties.

    Args:
        model: functional model from aggregated hiddens to the logits of each label, float32 (batch, units of the
            label), and to the further outputs that `tasks` names.
        source: source of labels, as `label_rows` makes one.
        layouts: layouts of the matrices of every party by party, the label party's own included.
        tasks: the labels that the model predicts, with their losses and metrics.
        absent: replaces hiddens of absent rows; if omitted, every row is present at every party.
    """

    def __init__(
        self,
        model: keras.Model,
        source: RowSource,
        layouts: Layouts,
        tasks: LabelTasks,
        *,
        absent: AbsentVectors | None = None,
    ) -> None:
        self.score = tasks.scores
        self._model = model
        self._source = source
        self._layouts = {party: layouts[party] for party in sorted(layouts)}
        self._outputs = tasks.outputs
        self._names = tuple(tasks.outputs.labels)
        self._losses = tasks.losses
        self._absent = absent or AbsentVectors()
        self._infer_call = CompiledCall(self._infer)

    @property
    def outputs(self) -> int:
        """Total width of the outputs of all labels."""
        return self._outputs.units

    def infer(self, rows: Rows, hiddens: Matrices, present: Masks = ALL_PRESENT) -> InferenceResult:
        """Computes outputs and losses outside of training.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: hiddens by party, float32 (batch, columns).
            present: by party with absent vectors, which rows have its hiddens, bool (batch,).

        Returns:
            The outputs of each row, and means over the batch.
        """
        labels, masks = gather_labels(self._source, rows), self._absent.arguments(present)
        inferred = self._infer_call((len(rows),), labels, self._matrices(hiddens), masks)
        by_task = inferred.losses.numpy().astype(np.float64)
        loss = float(by_task @ self._losses.fixed_weights)
        measures = {**self._by_task("loss", by_task), **self._reported(inferred.reported)}
        return InferenceResult(loss, inferred.outputs.numpy(), measures)

    def _matrices(self, by_party: Matrices) -> list[FloatArray]:
        return [by_party[party] for party in self._layouts]

    def _by_task(self, what: str, values: npt.NDArray[np.floating]) -> dict[str, float]:
        if len(self._names) == 1:
            return {}
        return {f"{name}_{what}": float(value) for name, value in zip(self._names, values, strict=True)}

    def _reported(self, means: Sequence[tf.Tensor]) -> dict[str, float]:
        return {
            name: float(value)
            for reported, mean in zip(self._outputs.reported, means, strict=True)
            for name, value in zip(reported.names, mean.numpy().flat, strict=True)
        }

    def _filled(self, hiddens: Sequence[tf.Tensor], present: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        return self._absent.fill(tuple(self._layouts), hiddens, present)

    def _infer(self, gathered: list[tf.Tensor], hiddens: list[tf.Tensor], present: list[tf.Tensor]) -> _Inferred:
        outputs = self._model(aggregate(self._layouts, self._filled(hiddens, present)), training=False)
        losses = LabelTensors.of(gathered).plain_losses(self._losses, outputs)
        return _Inferred(side_by_side(self._outputs, outputs), tf.stack(losses), reported_means(self._outputs, outputs))
