"""Packs all features of a party into one pair of arrays, so that a step needs one lookup."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from party.configuration.layout import FeatureLayout
from party.data.encoders import EncodedFeature


@dataclass(frozen=True, kw_only=True)
class PackedFeatures:
    """Indices into one table that concatenates the embedding rows of every feature.

    Attributes:
        indices: row numbers of the common table, int32 (rows, slots).
        values: factor of each looked-up row, float32 (rows, slots).
        features: slots of each feature.
        size: number of rows in the common table.
        firsts: first row of each feature's embedding rows in the common table.
    """

    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    features: tuple[FeatureLayout, ...]
    size: int
    firsts: tuple[int, ...]

    def shuffled(self, names: Collection[str], order: npt.NDArray[np.int64]) -> PackedFeatures:
        """The same, but each row has some of its features from another one.

        Args:
            names: names of these features.
            order: for each row the one whose features it gets, int64 (rows,).
        """
        indices, values = self.indices.copy(), self.values.copy()
        for feature in self.features:
            if feature.name in names:
                slots = slice(feature.start, feature.start + feature.width)
                indices[:, slots], values[:, slots] = self.indices[order, slots], self.values[order, slots]
        return replace(self, indices=indices, values=values)


def pack(features: Sequence[EncodedFeature]) -> PackedFeatures:
    """Packs encoded features into common arrays.

    Args:
        features: at least one feature, all with the same number of rows.

    Returns:
        The packed arrays; a feature's indices are offset by the sizes of the tables before it.
    """
    tables = {feature.name: feature.size for feature in features if feature.table == feature.name}
    offsets = dict(zip(tables, np.cumsum([0, *tables.values()])[:-1].tolist(), strict=True))
    indices = [feature.indices + np.int32(offsets[feature.table]) for feature in features]
    widths = [feature.indices.shape[1] for feature in features]
    starts = np.cumsum([0, *widths])[:-1].tolist()
    return PackedFeatures(
        indices=np.ascontiguousarray(np.concatenate(indices, axis=1), dtype=np.int32),
        values=np.ascontiguousarray(np.concatenate([feature.values for feature in features], axis=1)),
        features=tuple(
            FeatureLayout(
                name=feature.name,
                kind=feature.kind,
                start=start,
                width=width,
                target=feature.target,
                size=feature.size,
                table=feature.table,
            )
            for feature, start, width in zip(features, starts, widths, strict=True)
        ),
        size=sum(tables.values()),
        firsts=tuple(offsets[feature.table] for feature in features),
    )
