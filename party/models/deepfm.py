"""Split DeepFM: factorization machine and deep network, cut between the parties.

    logit = Σₚ linearₚ + ½(‖Σₚ factor_sumₚ‖² − Σₚ factor_squareₚ) + DNN(concatₚ deepₚ)

with, over the features of party p, linearₚ = Σ w x, factor_sumₚ = Σ v x and
factor_squareₚ = Σ‖v x‖². The linear term and the squares cross the cut apart,
so that each keeps its own coefficient.

Reference: Guo et al., "DeepFM: A Factorization-Machine based Neural Network
for CTR Prediction", IJCAI 2017, equations 1 to 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from party.configuration.party import DeepFMFuse, DeepFMModel
from party.protocol.hidden import Aggregation, HiddenSpec

DEEP = "deep"
FACTOR_SUM = "factor_sum"
FACTOR_SQUARE = "factor_square"
LINEAR = "linear"
INDICES = "indices"
VALUES = "values"


def base_specs(section: DeepFMModel) -> tuple[HiddenSpec, ...]:
    """The hiddens that a DeepFM base model sends, in the order in which they cross the cut."""
    return (
        HiddenSpec(DEEP, section.units[-1], Aggregation.CONCAT),
        HiddenSpec(FACTOR_SUM, section.embedding_dimension, Aggregation.SUM),
        HiddenSpec(FACTOR_SQUARE, 1, Aggregation.SUM),
        HiddenSpec(LINEAR, 1, Aggregation.SUM),
    )


def build_base(section: DeepFMModel, widths: Sequence[int], size: int, name: str = "base") -> keras.Model:
    """Builds the base model of one party.

    Args:
        section: its hyper-parameters.
        widths: slots of each feature in the packed arrays.
        size: rows of the common embedding table.
        name: of the model.

    Returns:
        A model from {indices: int32 (batch, slots), values: float32 (batch,
        slots)} to {name: float32 (batch, units)} for every spec of `base_specs`.
    """
    slots = sum(widths)
    dimension = section.embedding_dimension
    indices = keras.Input((slots,), dtype="int32", name=INDICES)
    values = keras.Input((slots,), name=VALUES)
    regularizer = keras.regularizers.L2(section.embedding_l2) if section.embedding_l2 else None
    weight = ops.expand_dims(values, -1)
    table = keras.layers.Embedding(size, dimension, embeddings_regularizer=regularizer, name="factors")
    factors = table(indices) * weight
    linear = keras.layers.Embedding(size, 1, embeddings_initializer="zeros", name="linear")(indices) * weight
    deep = _dense_layers(_fields(factors, widths, dimension), section)
    outputs = {
        DEEP: deep,
        FACTOR_SUM: ops.sum(factors, axis=1),
        FACTOR_SQUARE: ops.expand_dims(ops.sum(ops.square(factors), axis=(1, 2)), -1),
        LINEAR: ops.sum(linear, axis=1),
    }
    return keras.Model({INDICES: indices, VALUES: values}, outputs, name=name)


def build_fuse(section: DeepFMFuse, units: dict[str, int]) -> keras.Model:
    """Builds the fuse model.

    Args:
        section: its hyper-parameters.
        units: width of each aggregated hidden by name; those of `base_specs`.

    Returns:
        A model from {name: float32 (batch, units)} to logits, float32 (batch, 1).
    """
    inputs = {name: keras.Input((width,), name=name) for name, width in units.items()}
    squared_sum = ops.sum(ops.square(inputs[FACTOR_SUM]), axis=1, keepdims=True)
    interactions = 0.5 * (squared_sum - inputs[FACTOR_SQUARE])
    deep = keras.layers.Dense(1, name="logit")(_dense_layers(inputs[DEEP], section))
    return keras.Model(inputs, inputs[LINEAR] + interactions + deep, name="fuse")


def _fields(factors: keras.KerasTensor, widths: Sequence[int], dimension: int) -> keras.KerasTensor:
    """One vector per feature: the sum over its slots; all of them side by side."""
    if all(width == 1 for width in widths):
        return keras.layers.Reshape((len(widths) * dimension,), name="fields")(factors)
    fields, start = [], 0
    for width in widths:
        fields.append(ops.sum(factors[:, start : start + width], axis=1))
        start += width
    return keras.layers.Concatenate(name="fields")(fields) if len(fields) > 1 else fields[0]


def _dense_layers(hidden: keras.KerasTensor, section: DeepFMModel | DeepFMFuse) -> keras.KerasTensor:
    for number, units in enumerate(section.units):
        hidden = keras.layers.Dense(units, activation=section.activation, name=f"dense_{number}")(hidden)
        if section.dropout:
            hidden = keras.layers.Dropout(section.dropout, name=f"dropout_{number}")(hidden)
    return hidden
