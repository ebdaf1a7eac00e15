"""The hiddens of all parties as the inputs of the fuse model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from party.models.columns import HiddenColumns
from party.protocol.hidden import Aggregation


def aggregated(columns: Mapping[str, HiddenColumns], matrices: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Hiddens of one name side by side or added up, as their specs say; for use inside a compiled call.

    Args:
        columns: of every party's matrix, by party.
        matrices: of all parties in that order, float32 (batch, units).

    Returns:
        One tensor for each name.
    """
    tensors: dict[str, list[tf.Tensor]] = {}
    aggregations: dict[str, Aggregation] = {}
    for one, matrix in zip(columns.values(), matrices, strict=True):
        for spec, tensor in zip(one.specs, one.split_graph(matrix), strict=True):
            tensors.setdefault(spec.name, []).append(tensor)
            aggregations[spec.name] = spec.aggregation
    return {name: _aggregate(aggregations[name], parts) for name, parts in tensors.items()}


def _aggregate(aggregation: Aggregation, hiddens: Sequence[tf.Tensor]) -> tf.Tensor:
    if aggregation is Aggregation.CONCAT:
        return tf.concat(hiddens, axis=1)
    total = hiddens[0]
    for hidden in hiddens[1:]:
        total = total + hidden
    return total
