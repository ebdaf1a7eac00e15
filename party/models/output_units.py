"""Fuse models that learn numbers in units of their deviation, and give them out as the labels have them."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import tensorflow as tf

from party.configuration.labels import AnyLabel
from party.configuration.layout import OutputScale
from party.models.row_losses import RowLoss

# Moving and scaling labels and outputs alike changes these by a factor at most, apart from where a curve bends.
SCALED_LOSSES = ("meansquarederror", "mse", "meanabsoluteerror", "mae", "huber", "logcosh")


def in_label_units(model: keras.Model, scales: Mapping[str, OutputScale]) -> keras.Model:
    """Puts outputs into the units of the labels: what a model computes is multiplied by the spread and moved.

    Args:
        model: functional model whose outputs are a mapping, float32 (batch, units).
        scales: scales of labels by name; of the others, and of all further outputs, nothing changes.

    Returns:
        A model with the same inputs and weights; the model itself if there are no scales.
    """
    if not scales:
        return model
    outputs = dict(model.output)
    for name, scale in scales.items():
        layer = keras.layers.Rescaling(scale=scale.spread, offset=scale.centre, name=f"{name}_units")
        outputs[name] = layer(outputs[name])
    return keras.Model(model.input, outputs, name=model.name)


class ScaledLoss:
    """A loss in units of the labels' deviation.

    Args:
        loss: the loss.
        scale: of the label.
    """

    def __init__(self, loss: RowLoss, scale: OutputScale) -> None:
        self._loss = loss
        self._scale = scale

    def __call__(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """See `RowLoss`."""
        return self._loss(self._scaled(labels), self._scaled(outputs))

    def _scaled(self, numbers: tf.Tensor) -> tf.Tensor:
        return (numbers - self._scale.centre) / self._scale.spread


def is_scaled(label: AnyLabel) -> bool:
    """Whether the loss of a label is computed in units of its deviation, where there is one."""
    return label.loss.name.replace("_", "").lower() in SCALED_LOSSES and not label.loss.arguments
