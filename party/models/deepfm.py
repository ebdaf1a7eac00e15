"""Split DeepFM: factorization machine and deep network, cut between the parties.

    logit = Σₚ linearₚ + ½(‖Σₚ factor_sumₚ‖² − Σₚ factor_squareₚ) + DNN(concatₚ deepₚ)

with, over the features of party p, linearₚ = Σ w x, factor_sumₚ = Σ v x and
factor_squareₚ = Σ‖v x‖². The linear term and the squares cross the cut separately,
so that each keeps its own coefficient.

Reference: Guo et al., "DeepFM: A Factorization-Machine based Neural Network
for CTR Prediction", IJCAI 2017, equations 1 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from party.configuration.labels import Labels
from party.configuration.layout import BaseLayout
from party.configuration.models import DeepFMFuse, DeepFMModel
from party.cut.hidden import Aggregation, HiddenSpec
from party.models.embedding import INDICES, dense_layers, embed, fields_side_by_side
from party.models.summed import DEEP, above_the_cut, below_the_cut, deep_spec

FACTOR_SUM = "factor_sum"
FACTOR_SQUARE = "factor_square"
LINEAR = "linear"
EXPECTED = {
    DEEP: Aggregation.CONCAT,
    FACTOR_SUM: Aggregation.SUM,
    FACTOR_SQUARE: Aggregation.SUM,
    LINEAR: Aggregation.SUM,
}


def base_specs(layout: BaseLayout, section: DeepFMModel) -> tuple[HiddenSpec, ...]:
    """The hiddens that a DeepFM base model sends, in the order in which they cross the cut."""
    units = {FACTOR_SUM: section.embedding_dimension, FACTOR_SQUARE: 1, LINEAR: 1}
    others = (HiddenSpec(name, width, EXPECTED[name]) for name, width in units.items())
    return (deep_spec(layout, section, section.units[-1]), *others)


def build_base(layout: BaseLayout, section: DeepFMModel) -> keras.Model:
    """Builds the base model of one party.

    Args:
        layout: layout of its features.
        section: the model's hyper-parameters.

    Returns:
        A model from {indices: int32 (batch, slots), values: float32 (batch,
        slots)} to {name: float32 (batch, units)} for every spec of `base_specs`.
    """
    embedded = embed(layout, section)
    factors = embedded.vectors
    table = keras.layers.Embedding(layout.size, 1, embeddings_initializer="zeros", name="linear")
    linear = table(embedded.inputs[INDICES]) * embedded.weight
    deep = dense_layers(fields_side_by_side(embedded, layout.features), section.units, section)
    outputs = {
        DEEP: below_the_cut(deep, layout, section),
        FACTOR_SUM: ops.sum(factors, axis=1),
        FACTOR_SQUARE: ops.expand_dims(ops.sum(ops.square(factors), axis=(1, 2)), -1),
        LINEAR: ops.sum(linear, axis=1),
    }
    return keras.Model(embedded.inputs, outputs, name="base")


def build_fuse(section: DeepFMFuse, units: Mapping[str, int], labels: Labels, *, summed: bool = False) -> keras.Model:
    """Builds the fuse model.

    Args:
        section: the model's hyper-parameters.
        units: width of each aggregated hidden by name; those of `EXPECTED`.
        labels: a single label with a single output.
        summed: whether `deep` is a sum.

    Returns:
        A model from {name: float32 (batch, units)} to {label: logits, float32 (batch, 1)}.
    """
    inputs = {name: keras.Input((width,), name=name) for name, width in units.items()}
    squared_sum = ops.sum(ops.square(inputs[FACTOR_SUM]), axis=1, keepdims=True)
    interactions = 0.5 * (squared_sum - inputs[FACTOR_SQUARE])
    hidden = dense_layers(above_the_cut(inputs[DEEP], section, summed=summed), section.units, section)
    deep = keras.layers.Dense(1, name="logit")(hidden)
    (label,) = labels
    return keras.Model(inputs, {label: inputs[LINEAR] + interactions + deep}, name="fuse")
