"""The loss of one label for each row: the configured one, or the one that drawn labels need.

A drawn label equals the true one with probability 1 − w, and is one of K
symbols, all equally likely, otherwise. The likelihood of a drawn class under
the model's probabilities p is thus (1 − w) p + w / K, and its negative
logarithm is least at the p of the *true* labels. Unlike an unbiased estimate
of the loss of the true labels, it has a lower bound, so that noise cannot be
learned by heart. A drawn number arrives debiased, so that its squared error
needs no correction.

Reference: Patrini et al., "Making Deep Neural Networks Robust to Label Noise:
a Loss Correction Approach", CVPR 2017, section 4.2 (forward correction).
"""

from __future__ import annotations

from typing import Protocol

import tensorflow as tf

from party.configuration.labels import AnyLabel, BinaryLabel, RegressionLabel
from party.data.labels import LabelNoise
from party.models.keras_objects import build_loss


class RowLoss(Protocol):
    """The loss of one label for each row."""

    def __call__(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Computes the losses, float32 (batch,), from labels, float32 (batch,), and outputs, float32 (batch, units)."""


class ConfiguredLoss:
    """The Keras loss that a label's section names.

    Args:
        label: the label's section.
        where: name of the party and key, for errors.

    Raises:
        ConfigurationError: the loss is not known, or does not take an argument.
    """

    def __init__(self, label: AnyLabel, where: str) -> None:
        self._loss = build_loss(label, where)
        self._single_output = label.units == 1

    def __call__(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """See `RowLoss`."""
        return self._loss(labels[:, None] if self._single_output else labels, outputs)


class ForwardCorrectedLoss:
    """The negative log likelihood of a drawn class under the model's probabilities of the true classes.

    It needs no logarithm of a small number: the likelihood is at least w / K.

    Args:
        noise: how the label was drawn.
        binary: whether the outputs are logits of the positive class, and not one for each class.
    """

    def __init__(self, noise: LabelNoise, *, binary: bool) -> None:
        self._kept = 1.0 - noise.replacement
        self._floor = noise.replacement / noise.symbols
        self._binary = binary

    def __call__(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """See `RowLoss`; the labels are drawn classes."""
        if self._binary:
            probabilities = tf.sigmoid((2.0 * labels - 1.0) * outputs[:, 0])
        else:
            probabilities = tf.gather(tf.nn.softmax(outputs), tf.cast(labels, tf.int32), axis=1, batch_dims=1)
        return -tf.math.log(self._kept * probabilities + self._floor)


def row_loss(label: AnyLabel, where: str, noise: LabelNoise | None) -> RowLoss:
    """Makes the loss of a label.

    Args:
        label: the label's section; a private label has the default loss of its kind.
        where: name of the party and key, for errors.
        noise: how the label was drawn; None for true labels.

    Raises:
        ConfigurationError: the loss is not known, or does not take an argument.
    """
    if noise is None or isinstance(label, RegressionLabel):
        return ConfiguredLoss(label, where)
    return ForwardCorrectedLoss(noise, binary=isinstance(label, BinaryLabel))
