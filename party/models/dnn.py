"""Split DNN: dense layers below the cut over each party's features, and above it over all of them.

Without layers on either side this is logistic regression, one weight for each
category and number. Several labels share the layers above the cut.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras

from party.configuration.labels import Labels
from party.configuration.layout import BaseLayout
from party.configuration.models import DNNFuse, DNNModel
from party.cut.hidden import Aggregation, HiddenSpec
from party.models.embedding import dense_layers, embed, fields_side_by_side
from party.models.summed import DEEP, above_the_cut, below_the_cut, deep_spec

EXPECTED = {DEEP: Aggregation.CONCAT}


def base_specs(layout: BaseLayout, section: DNNModel) -> tuple[HiddenSpec, ...]:
    """The one hidden that a DNN base model sends."""
    width = section.units[-1] if section.units else len(layout.features) * section.embedding_dimension
    return (deep_spec(layout, section, width),)


def build_base(layout: BaseLayout, section: DNNModel) -> keras.Model:
    """Builds the base model of one party.

    Args:
        layout: layout of its features.
        section: the model's hyper-parameters.

    Returns:
        A model from {indices: int32 (batch, slots), values: float32 (batch,
        slots)} to {deep: float32 (batch, units)}.
    """
    embedded = embed(layout, section)
    deep = dense_layers(fields_side_by_side(embedded, layout.features), section.units, section)
    return keras.Model(embedded.inputs, {DEEP: below_the_cut(deep, layout, section)}, name="base")


def build_fuse(section: DNNFuse, units: Mapping[str, int], labels: Labels, *, summed: bool = False) -> keras.Model:
    """Builds the fuse model.

    Args:
        section: the model's hyper-parameters.
        units: width of each aggregated hidden by name; only `deep`.
        labels: the labels that it predicts.
        summed: whether `deep` is a sum.

    Returns:
        A model from {deep: float32 (batch, units)} to {label: logits, float32 (batch, units of the label)}.
    """
    deep = keras.Input((units[DEEP],), name=DEEP)
    hidden = dense_layers(above_the_cut(deep, section, summed=summed), section.units, section)
    outputs = {name: keras.layers.Dense(label.units, name=f"{name}_logit")(hidden) for name, label in labels.items()}
    return keras.Model({DEEP: deep}, outputs, name="fuse")
