"""The forward pass of a fuse model in training, for use inside a compiled call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from party.cut.layout import CutLayout
from party.engine.aggregation import aggregate
from party.engine.label_tensors import LabelTensors
from party.engine.local_states import local_states
from party.models.fuse_outputs import FuseOutputs
from party.models.losses import TaskLosses


@dataclass(frozen=True, kw_only=True)
class TrainingTensors:
    """The tensors of a training batch.

    Attributes:
        summands: summands of the loss, float32 (summands,).
        outputs: outputs of all labels side by side, float32 (batch, outputs).
        losses: mean loss of each label, float32 (labels,).
        shares: share of each label in the gradient with respect to the shared tensor, float32 (labels,); empty for one
            label.
        task_weights: factor of each label's loss, float32 (labels,).
        reported: means of the reported outputs over the batch.
        gradients: gradients of the loss with respect to matrices of hiddens, float32 (batch, columns).
    """

    summands: tf.Tensor
    outputs: tf.Tensor
    losses: tf.Tensor
    shares: tf.Tensor
    task_weights: tf.Tensor
    reported: list[tf.Tensor]
    gradients: list[tf.Tensor]


@dataclass(frozen=True, kw_only=True)
class FuseForward:
    """The tensors of a forward pass.

    Attributes:
        inputs: aggregated hiddens by name.
        outputs: outputs of the model by name.
        losses: mean loss of each label, with the owner's row weights.
        terms: terms of the loss, one for each label.
        summands: all terms of the loss, those of regularisation and learned weights included.
    """

    inputs: Mapping[str, tf.Tensor]
    outputs: Mapping[str, tf.Tensor]
    losses: Sequence[tf.Tensor]
    terms: Sequence[tf.Tensor]
    summands: Sequence[tf.Tensor]


class FusePass:
    """Runs a fuse model on the hiddens of all parties.

    Args:
        model: functional model from aggregated hiddens to its outputs.
        layouts: layouts of the matrices of every party, by party.
        outputs: outputs of the model.
        losses: losses of the labels.
    """

    def __init__(
        self, model: keras.Model, layouts: Mapping[str, CutLayout], outputs: FuseOutputs, losses: TaskLosses
    ) -> None:
        self._model = model
        self._layouts = layouts
        self._outputs = outputs
        self._losses = losses

    def __call__(self, labels: LabelTensors, hiddens: Sequence[tf.Tensor]) -> FuseForward:
        """Runs the model with its present variables, and updates the non-trainable ones.

        Args:
            labels: labels of the batch.
            hiddens: hiddens of all parties in the order of the layouts, float32 (batch, columns).

        Returns:
            The tensors of the pass.
        """
        inputs = aggregate(self._layouts, hiddens)
        outputs = self._model(inputs, training=True)
        losses = labels.weighted_losses(self._losses, outputs)
        terms = self._losses.weighted(losses)
        summands = [*terms, *self._losses.penalties(), *self._model.losses]
        return FuseForward(inputs=inputs, outputs=outputs, losses=losses, terms=terms, summands=summands)

    def local(
        self, weights: Sequence[tf.Tensor], number: tf.Tensor, hiddens: Sequence[tf.Tensor]
    ) -> tuple[Mapping[str, tf.Tensor], list[tf.Tensor]]:
        """Runs the model in a local step, which changes no variables.

        Args:
            weights: values of the model's trainable variables.
            number: number of the local step in its run, int64.
            hiddens: hiddens of all parties in the order of the layouts, float32 (batch, columns).

        Returns:
            Its outputs by name, and its regularisation losses.
        """
        states = local_states(self._model.non_trainable_variables, number)
        inputs = aggregate(self._layouts, hiddens)
        outputs, _, losses = self._model.stateless_call(weights, states, inputs, training=True, return_losses=True)
        return outputs, list(losses)

    def tape(self) -> tf.GradientTape:
        """Makes a tape for a pass and for what `tensors` computes from it."""
        return tf.GradientTape(watch_accessed_variables=False, persistent=len(self._outputs.labels) > 1)

    def tensors(self, tape: tf.GradientTape, forward: FuseForward, gradients: list[tf.Tensor]) -> TrainingTensors:
        """Computes what a compiled call returns for a training batch.

        Args:
            tape: the tape that recorded the pass.
            forward: the pass.
            gradients: gradients of the loss with respect to matrices of hiddens.

        Returns:
            The tensors of the batch.
        """
        return TrainingTensors(
            summands=tf.stack(forward.summands),
            outputs=side_by_side(self._outputs, forward.outputs),
            losses=tf.stack(forward.losses),
            shares=self._shares(tape, forward),
            task_weights=self._losses.weights(),
            reported=reported_means(self._outputs, forward.outputs),
            gradients=gradients,
        )

    def _shares(self, tape: tf.GradientTape, forward: FuseForward) -> tf.Tensor:
        """Norm of each label's gradient with respect to the shared tensor, divided by the sum of all norms."""
        if len(self._outputs.labels) == 1:
            return tf.zeros((0,))
        shared = self._outputs.shared
        tensors = list(forward.inputs.values()) if shared is None else [forward.outputs[shared]]
        norms = tf.stack([tf.linalg.global_norm(tape.gradient(term, tensors)) for term in forward.terms])
        return tf.math.divide_no_nan(norms, tf.reduce_sum(norms))


def side_by_side(declared: FuseOutputs, outputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Concatenates the logits of all labels.

    Args:
        declared: the outputs of the model.
        outputs: their tensors by name.

    Returns:
        float32 (batch, units of all labels).
    """
    return tf.concat([outputs[name] for name in declared.labels], axis=1)


def reported_means(declared: FuseOutputs, outputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
    """Computes the means of the reported outputs over the batch.

    Args:
        declared: the outputs of the model.
        outputs: their tensors by name.

    Returns:
        One tensor per reported output.
    """
    return [tf.reduce_mean(outputs[reported.output], axis=0) for reported in declared.reported]
