"""Aggregates the hiddens of all parties into the inputs of the fuse model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from party.cut.hidden import Aggregation
from party.cut.layout import CutLayout
from party.engine.cut_tensors import split


def aggregate(layouts: Mapping[str, CutLayout], matrices: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Concatenates or adds the hiddens of each name, as their specs say; for use inside a compiled call.

    Args:
        layouts: layouts of every party's matrix, by party.
        matrices: matrices of all parties in the order of `layouts`, float32 (batch, columns).

    Returns:
        One tensor per name, float32 (batch, units).
    """
    hiddens: dict[str, list[tf.Tensor]] = {}
    aggregations: dict[str, Aggregation] = {}
    for layout, matrix in zip(layouts.values(), matrices, strict=True):
        aggregations |= {spec.name: spec.aggregation for spec in layout.specs}
        for name, hidden in split(layout, matrix).items():
            hiddens.setdefault(name, []).append(hidden)
    return {name: _aggregate(aggregations[name], parts) for name, parts in hiddens.items()}


def _aggregate(aggregation: Aggregation, hiddens: Sequence[tf.Tensor]) -> tf.Tensor:
    if aggregation is Aggregation.CONCAT:
        return tf.concat(hiddens, axis=1)
    total = hiddens[0]
    for hidden in hiddens[1:]:
        total = total + hidden
    return total
