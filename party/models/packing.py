"""All features of a party as one pair of arrays, so that a step needs one lookup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from party.data.encoders import EncodedFeature


@dataclass(frozen=True)
class PackedFeatures:
    """Indices into one table that holds the embedding rows of every feature, one after another.

    Attributes:
        indices: row numbers of the common table, int32 (rows, slots).
        values: what each looked-up row is multiplied with, float32 (rows, slots).
        widths: slots of each feature.
        size: rows of the common table.
    """

    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    widths: tuple[int, ...]
    size: int


def pack(features: Sequence[EncodedFeature]) -> PackedFeatures:
    """Packs encoded features side by side.

    Args:
        features: at least one, all with the same number of rows.

    Returns:
        The packed arrays; a feature's indices are offset by the sizes of those before it.
    """
    sizes = [feature.size for feature in features]
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    indices = [feature.indices + offset for feature, offset in zip(features, offsets, strict=True)]
    return PackedFeatures(
        indices=np.ascontiguousarray(np.concatenate(indices, axis=1), dtype=np.int32),
        values=np.ascontiguousarray(np.concatenate([feature.values for feature in features], axis=1)),
        widths=tuple(feature.indices.shape[1] for feature in features),
        size=sum(sizes),
    )
