"""The hidden `deep` as a sum: the first layer above the cut, pushed below it.

A dense layer on the concatenated hiddens of all parties is a sum of one product for each party,

    act(W [h_1, ..., h_k] + b) = act(W_1 h_1 + ... + W_k h_k + b)

so every base model ends in its own W_p, and the sum, b and act are above the cut. With `cut_units` u and fuse units
(v, ...) it is the concatenating model with fuse units (u, v, ...).
"""

from __future__ import annotations

import keras
from keras import ops

from party.configuration.layout import BaseLayout
from party.configuration.models import DenseFuse, EmbeddedModel, MMoEFuse
from party.cut.hidden import Aggregation, HiddenSpec

DEEP = "deep"


def deep_spec(layout: BaseLayout, section: EmbeddedModel, width: int) -> HiddenSpec:
    """The spec of `deep`.

    Args:
        layout: layout of the base model.
        section: the model's hyper-parameters.
        width: width of the last layer before the cut, where parties concatenate it.
    """
    if layout.summed:
        return HiddenSpec(DEEP, section.cut_units, Aggregation.SUM)
    return HiddenSpec(DEEP, width, Aggregation.CONCAT)


def below_the_cut(hidden: keras.KerasTensor, layout: BaseLayout, section: EmbeddedModel) -> keras.KerasTensor:
    """Ends the dense layers of a base model: with a linear layer where parties add up, else as they are.

    Args:
        hidden: float32 (batch, width).
        layout: layout of the base model.
        section: the model's hyper-parameters.

    Returns:
        The hidden `deep`, float32 (batch, units).
    """
    if not layout.summed:
        return hidden
    return keras.layers.Dense(section.cut_units, use_bias=False, name="cut")(hidden)


def above_the_cut(deep: keras.KerasTensor, section: DenseFuse | MMoEFuse, *, summed: bool) -> keras.KerasTensor:
    """Begins a fuse model: with the rest of the layer that base models end in where parties add up.

    Args:
        deep: the aggregated hidden, float32 (batch, units).
        section: sets activation and dropout.
        summed: whether it is a sum.

    Returns:
        float32 (batch, units).
    """
    if not summed:
        return deep
    # A bias alone: a dense layer on the number 1, looked up once for all rows.
    one = ops.ones_like(deep[:1, :1])
    bias = keras.layers.Dense(deep.shape[1], use_bias=False, kernel_initializer="zeros", name="cut_bias")(one)
    hidden = keras.layers.Activation(section.activation, name="cut_activation")(deep + bias)
    return keras.layers.Dropout(section.dropout, name="cut_dropout")(hidden) if section.dropout else hidden
