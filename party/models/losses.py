"""The losses of several labels, and their weighted sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from party.configuration.labels import Labels, RegressionLabel
from party.configuration.layout import OutputScale
from party.cut.hidden import FloatArray
from party.data.labels import LabelNoise
from party.models.output_units import ScaledLoss, is_scaled
from party.models.row_losses import row_loss

CHUNK_ROWS = 65_536  # rows per call when the losses of a pass are recomputed, to bound the memory that Keras needs


class TaskLosses:
    """The mean loss of each label over a batch, and their sum, which training minimises.

    With fixed weights the sum is Σ w_k L_k. With learned weights, and
    s_k the logarithm of a task's variance, it is Σ exp(−s_k) L_k + ½ s_k for
    classes and Σ ½ exp(−s_k) L_k + ½ s_k for numbers.

    Args:
        labels: labels by name.
        uncertainty: whether the weights are learned.
        party: name of this party, for errors.
        noise: how labels were drawn, by label; omitted for true ones.
        scales: scales of numbers by label; their losses are in units of the deviation, if they can be.

    Raises:
        ConfigurationError: a loss is not known, or it does not take an argument.

    Reference:
        Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and
        Semantics", CVPR 2018, equations 5 to 10.
    """

    def __init__(
        self,
        labels: Labels,
        uncertainty: bool,
        party: str,
        noise: Mapping[str, LabelNoise] | None = None,
        *,
        scales: Mapping[str, OutputScale] | None = None,
    ) -> None:
        drawn = noise or {}
        self._losses = {
            name: row_loss(label, f"{party}: data.labels.{name}", drawn.get(name)) for name, label in labels.items()
        }
        for name, scale in (scales or {}).items():
            if is_scaled(labels[name]):
                self._losses[name] = ScaledLoss(self._losses[name], scale)
        self._scales = [0.5 if isinstance(label, RegressionLabel) else 1.0 for label in labels.values()]
        self.fixed_weights = np.array([label.weight for label in labels.values()])
        self._log_variances = keras.Variable(np.zeros(len(labels), np.float32), name="log_variances")
        self._uncertainty = uncertainty

    @property
    def variables(self) -> list[keras.Variable]:
        """The trainable variables of learned weights."""
        return [self._log_variances] if self._uncertainty else []

    def means(self, labels: tf.Tensor, outputs: Mapping[str, tf.Tensor], weights: tf.Tensor | None) -> list[tf.Tensor]:
        """Computes the mean loss of each label; as in Keras, the divisor is the number of rows, whatever their weights.

        Args:
            labels: labels of the rows, float32 (batch, labels).
            outputs: logits by label, float32 (batch, units of the label).
            weights: weights of the rows, float32 (batch, labels); None where all weigh 1.

        Returns:
            Scalars in the order of the labels.
        """
        means = []
        for place, name in enumerate(self._losses):
            by_row = self._losses[name](labels[:, place], outputs[name])
            means.append(tf.reduce_mean(by_row if weights is None else by_row * weights[:, place]))
        return means

    def by_row(self, name: str, labels: FloatArray, outputs: FloatArray) -> FloatArray:
        """Computes the loss of one label for each row.

        Args:
            name: name of the label.
            labels: the label's values, float32 (rows,).
            outputs: its logits, float32 (rows, units of the label).

        Returns:
            float32 (rows,).
        """
        parts = [slice(start, start + CHUNK_ROWS) for start in range(0, len(labels), CHUNK_ROWS)]
        loss = self._losses[name]
        losses = [loss(tf.constant(labels[part]), tf.constant(outputs[part])).numpy() for part in parts]
        return np.concatenate(losses)

    def weights(self) -> tf.Tensor:
        """The factor of each label's loss, float32 (labels,)."""
        if self._uncertainty:
            return tf.constant(self._scales) * tf.exp(-self._log_variances.value)
        return tf.constant(self.fixed_weights, tf.float32)

    def weighted(self, means: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The terms of the sum that depend on the labels: each mean loss times its weight."""
        if not self._uncertainty and (self.fixed_weights == 1.0).all():
            return list(means)
        weights = self.weights()
        return [weights[place] * mean for place, mean in enumerate(means)]

    def penalties(self) -> list[tf.Tensor]:
        """The terms of the sum that keep learned weights from vanishing."""
        return [0.5 * tf.reduce_sum(self._log_variances.value)] if self._uncertainty else []
