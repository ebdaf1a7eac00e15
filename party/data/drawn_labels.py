"""Draws the labels of a dataset, with the weights that belong to what was drawn."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from party.configuration.labels import Labels
from party.data.labels import DrawnLabels, LabelArrays, LabelNoise, weighted_labels
from party.privacy.label_mechanism import LabelMechanism


@dataclass(frozen=True)
class DrawSource:
    """What determines all draws besides ids and values.

    Attributes:
        secret: 32 bytes that only this party knows.
        generation: of the draws.
    """

    secret: bytes = field(repr=False)
    generation: int


@dataclass(frozen=True)
class _Chosen:
    """Some of the ids, none of which is kept."""

    ids: Iterable[str]
    chosen: NDArray[np.bool_]

    def __iter__(self) -> Iterator[str]:
        return itertools.compress(self.ids, self.chosen)


def draw_labels(
    labels: Labels,
    values: NDArray[np.float32],
    sample_weights: NDArray[np.float32] | None,
    ids: Iterable[str],
    *,
    source: DrawSource,
) -> DrawnLabels:
    """Draws the labels of rows.

    Args:
        labels: labels by name, all of them private.
        values: true labels, float32 (rows, labels); NaN where a row lacks a label, which stays NaN.
        sample_weights: weights of the rows, which say nothing about labels, float32 (rows, 1); None if they have none.
        ids: id of each row; they are gone through several times.
        source: what determines the draws.

    Returns:
        The drawn labels. An id with the same labels has the same draws in every dataset.
    """
    mechanism = LabelMechanism(labels)
    known = LabelArrays(values).known
    own = ids if known.all() else _Chosen(ids, known)
    drawn = np.full_like(values, np.nan)
    drawn[known] = mechanism.draw(values[known], own, secret=source.secret, generation=source.generation)
    noise = {name: LabelNoise(*replacement) for name, replacement in mechanism.replacements.items()}
    return DrawnLabels(weighted_labels(labels, drawn, sample_weights), noise)
