"""Embeds packed features: the first layer of the built-in base models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
from keras import ops

from party.configuration.layout import BaseLayout, FeatureLayout
from party.configuration.models import DenseFuse, EmbeddedModel, MMoEFuse

INDICES = "indices"
VALUES = "values"


@dataclass(frozen=True)
class EmbeddedFeatures:
    """The inputs of a base model and their embeddings.

    Attributes:
        inputs: {indices: int32 (batch, slots), values: float32 (batch, slots)}.
        vectors: embedding row times value of every slot, float32 (batch, slots, dimension).
        weight: the values, float32 (batch, slots, 1).
        slots: vectors of the slots of each feature by its name, float32 (batch, width, dimension).
    """

    inputs: dict[str, keras.KerasTensor]
    vectors: keras.KerasTensor
    weight: keras.KerasTensor
    slots: Mapping[str, keras.KerasTensor]

    def field(self, feature: FeatureLayout) -> keras.KerasTensor:
        """A feature as one vector, the sum over its slots: float32 (batch, dimension)."""
        return ops.sum(self.slots[feature.name], axis=1)

    def mask(self, feature: FeatureLayout) -> keras.KerasTensor:
        """Mask of the slots of a sequence: float32 (batch, width, 1), 1 for a value and 0 for padding."""
        return self.weight[:, feature.start : feature.end]


def embed(layout: BaseLayout, section: EmbeddedModel) -> EmbeddedFeatures:
    """Looks up every slot in the one embedding table of a base model.

    Args:
        layout: layout of its features.
        section: the model's hyper-parameters.

    Returns:
        The embedded features.
    """
    indices = keras.Input((layout.slots,), dtype="int32", name=INDICES)
    values = keras.Input((layout.slots,), name=VALUES)
    regularizer = keras.regularizers.L2(section.embedding_l2) if section.embedding_l2 else None
    weight = ops.expand_dims(values, -1)
    table = keras.layers.Embedding(
        layout.size, section.embedding_dimension, embeddings_regularizer=regularizer, name="factors"
    )
    vectors = table(indices) * weight
    # A single split has one concatenation as its gradient; the gradient of each slice would be as long as all of them.
    ends = [feature.end for feature in layout.features[:-1]]
    parts = ops.split(vectors, ends, axis=1) if ends else [vectors]
    slots = {feature.name: part for feature, part in zip(layout.features, parts, strict=True)}
    return EmbeddedFeatures({INDICES: indices, VALUES: values}, vectors, weight, slots)


def fields_side_by_side(embedded: EmbeddedFeatures, features: Sequence[FeatureLayout]) -> keras.KerasTensor:
    """Concatenates one vector per feature: float32 (batch, features × dimension)."""
    dimension = embedded.vectors.shape[-1]
    if all(feature.width == 1 for feature in features) and features[-1].end == embedded.vectors.shape[1]:
        return keras.layers.Reshape((len(features) * dimension,), name="fields")(embedded.vectors)
    fields = [embedded.field(feature) for feature in features]
    return keras.layers.Concatenate(name="fields")(fields) if len(fields) > 1 else fields[0]


def dense_layers(
    hidden: keras.KerasTensor,
    units: Sequence[int],
    section: EmbeddedModel | DenseFuse | MMoEFuse,
    prefix: str = "",
) -> keras.KerasTensor:
    """Applies dense layers, each followed by dropout if the section sets it.

    Args:
        hidden: float32 (batch, width).
        units: widths of the layers.
        section: sets their activation and dropout.
        prefix: prefix of the layers' names.

    Returns:
        float32 (batch, last of units), or the input if there are no layers.
    """
    for number, width in enumerate(units):
        hidden = keras.layers.Dense(width, activation=section.activation, name=f"{prefix}dense_{number}")(hidden)
        if section.dropout:
            hidden = keras.layers.Dropout(section.dropout, name=f"{prefix}dropout_{number}")(hidden)
    return hidden
