"""Packs all features of a party into one pair of arrays, so that a step needs one lookup."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from party.configuration.layout import FeatureLayout
from party.data.encoders import EncodedFeature

Rows = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class PackedFeatures:
    """Indices into one table that concatenates the embedding rows of every feature.

    Attributes:
        encoded: the features, of the same rows.
        features: slots of each feature.
        size: number of rows in the common table.
        firsts: first row of each feature's embedding rows in the common table.
        lookups: the indices of each feature's texts in the common table, int32 (texts, width).
        factors: the values of each feature's texts, float32 (texts, width); None where all are 1.
    """

    encoded: tuple[EncodedFeature, ...] = field(repr=False)
    features: tuple[FeatureLayout, ...]
    size: int
    firsts: tuple[int, ...]
    lookups: tuple[npt.NDArray[np.int32], ...] = field(repr=False)
    factors: tuple[npt.NDArray[np.float32] | None, ...] = field(repr=False)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.encoded[0].column)

    @property
    def slots(self) -> int:
        """Number of indices of a row."""
        return self.features[-1].end

    def gather(self, rows: Rows) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Packs some rows.

        Args:
            rows: row numbers, (batch,).

        Returns:
            Row numbers of the common table, int32 (batch, slots), and the factor of each looked-up row, float32 of the
            same shape; both C-contiguous.
        """
        indices = np.empty((len(rows), self.slots), np.int32)
        values = np.ones((len(rows), self.slots), np.float32)
        chosen: dict[int, Rows] = {id(None): rows}  # columns of one file share their rows
        for number, (feature, layout) in enumerate(zip(self.encoded, self.features, strict=True)):
            column, slots = feature.column, slice(layout.start, layout.end)
            if id(column.rows) not in chosen and column.rows is not None:
                chosen[id(column.rows)] = column.rows.take(rows)
            texts = column.stored.take(chosen[id(column.rows)])
            indices[:, slots] = self.lookups[number].take(texts, axis=0)
            factors = self.factors[number]
            if factors is not None:
                values[:, slots] = factors.take(texts, axis=0)
        return indices, values

    def whole(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Packs all rows; see `gather`."""
        return self.gather(np.arange(self.rows))

    def shuffled(self, names: Collection[str], order: npt.NDArray[np.int64]) -> PackedFeatures:
        """The same, but each row has some of its features from another one.

        Args:
            names: names of these features.
            order: for each row the one whose features it gets, int64 (rows,).
        """
        encoded = tuple(one.with_rows(order) if one.name in names else one for one in self.encoded)
        return replace(self, encoded=encoded)


class PackedRows:
    """Gathers the packed features of a batch.

    Args:
        packed: the features of all rows.
        indices_name: name of the indices.
        values_name: name of the values.
    """

    def __init__(self, packed: PackedFeatures, indices_name: str, values_name: str) -> None:
        self._packed = packed
        self._names = indices_name, values_name

    def gather(self, rows: npt.NDArray[np.int32]) -> Mapping[str, npt.NDArray[Any]]:
        """See `RowSource`."""
        return dict(zip(self._names, self._packed.gather(checked(rows, self._packed.rows)), strict=True))


def checked(rows: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int32]:
    """Refuses row numbers that do not exist; NumPy would count negative ones from the end.

    Args:
        rows: row numbers, int32 (batch,).
        count: number of rows.

    Raises:
        IndexError: a row number does not exist.
    """
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise IndexError(f"row numbers must be from 0 to {count - 1}")
    return rows


def pack(features: Sequence[EncodedFeature]) -> PackedFeatures:
    """Packs encoded features.

    Args:
        features: at least one feature, all with the same number of rows.

    Returns:
        The packed features; a feature's indices are offset by the sizes of the tables before it.
    """
    tables = {feature.name: feature.size for feature in features if feature.table == feature.name}
    offsets = dict(zip(tables, np.cumsum([0, *tables.values()])[:-1].tolist(), strict=True))
    starts = np.cumsum([0, *(feature.width for feature in features)])[:-1].tolist()
    firsts = tuple(offsets[feature.table] for feature in features)
    return PackedFeatures(
        encoded=tuple(features),
        features=tuple(
            FeatureLayout(
                name=feature.name,
                kind=feature.kind,
                start=start,
                width=feature.width,
                target=feature.target,
                size=feature.size,
                table=feature.table,
            )
            for feature, start in zip(features, starts, strict=True)
        ),
        size=sum(tables.values()),
        firsts=firsts,
        lookups=tuple(
            feature.encoding.indices + np.int32(first) for feature, first in zip(features, firsts, strict=True)
        ),
        factors=tuple(
            None if (feature.encoding.values == 1).all() else feature.encoding.values for feature in features
        ),
    )
