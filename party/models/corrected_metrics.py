"""Metrics that are released where labels are drawn: of the drawn labels, corrected for how they were drawn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np

from party.configuration.keras_objects import KerasObject
from party.configuration.labels import AnyLabel, BinaryLabel, Labels
from party.cut.hidden import FloatArray
from party.data.labels import LabelNoise
from party.metrics.corrected_figures import DrawnClasses, EstimatedFigure, corrected_accuracy
from party.models.scores import Scores, predictions

ERROR_SUFFIX = "_error"  # of the name of a metric's standard error
THRESHOLD = np.float32(0.5)  # of Keras, for precision and recall without arguments


@dataclass(frozen=True)
class _LabelRows:
    """What is known of one label over the rows of a pass.

    Attributes:
        label: its section.
        noise: how it was drawn.
        drawn: drawn labels, float32 (rows,).
        outputs: outputs for it, float32 (rows, units of the label).
    """

    label: AnyLabel
    noise: LabelNoise
    drawn: FloatArray
    outputs: FloatArray

    @property
    def classes(self) -> DrawnClasses:
        return DrawnClasses(self.drawn, self.noise.replacement)

    @property
    def probabilities(self) -> FloatArray:
        """As Keras gets them, float32 (rows, units of the label)."""
        return predictions(self.label, self.outputs).astype(np.float32)


class CorrectedMetrics:
    """Computes the metrics of true labels from drawn ones, and names those for which it cannot.

    Whatever it returns depends on true labels through drawn ones alone, so that it may be released exactly. Losses,
    and the means that training reports, are passed on as they are: they are about drawn labels, and the mean squared
    error of a number is about targets without bias, so that it exceeds that of the true number by a constant of the
    dataset, whatever the model.

    Args:
        labels: labels by name.
        noise: how they were drawn, by label.
        scores: scores of the labels.
    """

    def __init__(self, labels: Labels, noise: Mapping[str, LabelNoise], scores: Scores) -> None:
        self._labels = labels
        self._noise = noise
        self._scores = scores

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the metrics that are not released."""
        every = itertools.chain.from_iterable(map(self._scores.of_label, self._labels))
        return tuple(key for key, given, metric in every if not (_is_kept(metric) or _is_corrected(given, metric)))

    def __call__(
        self, name: str, outputs: FloatArray, labels: FloatArray, exact: Mapping[str, float]
    ) -> Mapping[str, float]:
        """Computes the released metrics of a pass.

        Args:
            name: name of the pass.
            outputs: outputs of all labels side by side, float32 (rows, outputs), at least one row.
            labels: drawn labels of the rows, float32 (rows, labels).
            exact: metrics of these rows on drawn labels, by name.

        Returns:
            Losses and means as they are; every other metric with its standard error beside it, both NaN where the
            draws say too little.
        """
        scored = set(self._scores.names)
        released = {key: value for key, value in exact.items() if key not in scored}
        for rows, (label_name, given) in zip(self._split(outputs, labels), self._labels.items(), strict=True):
            released.update(self._of_label(label_name, given, rows, exact))
        return released

    def _of_label(
        self, name: str, label: AnyLabel, rows: _LabelRows, exact: Mapping[str, float]
    ) -> Iterator[tuple[str, float]]:
        for key, given, metric in self._scores.of_label(name):
            if _is_kept(metric):
                yield key, exact[key]
            elif _is_corrected(given, metric):
                figure = _estimate(metric, rows, exact[key])
                yield key, figure.value
                yield f"{key}{ERROR_SUFFIX}", figure.error

    def _split(self, outputs: FloatArray, labels: FloatArray) -> Iterator[_LabelRows]:
        start = 0
        for place, (name, label) in enumerate(self._labels.items()):
            end = start + label.units
            yield _LabelRows(label, self._noise[name], labels[:, place], outputs[:, start:end])
            start = end


def _is_kept(metric: keras.Metric) -> bool:
    """Whether a metric is released as it is."""
    return type(metric) is keras.metrics.MeanSquaredError


def _is_corrected(given: KerasObject, metric: keras.Metric) -> bool:
    if isinstance(metric, keras.metrics.AUC | keras.metrics.Precision | keras.metrics.Recall):
        return not given.arguments
    return type(metric) in (
        keras.metrics.BinaryAccuracy,
        keras.metrics.SparseCategoricalAccuracy,
        keras.metrics.SparseTopKCategoricalAccuracy,
    )


def _estimate(metric: keras.Metric, rows: _LabelRows, on_drawn: float) -> EstimatedFigure:
    match metric:
        case keras.metrics.AUC():
            return rows.classes.area(rows.outputs[:, 0])
        case keras.metrics.Precision():
            return rows.classes.precision(rows.probabilities[:, 0] > THRESHOLD)
        case keras.metrics.Recall():
            return rows.classes.recall(rows.probabilities[:, 0] > THRESHOLD)
    chance = _accepted(metric, rows) / rows.noise.symbols
    return corrected_accuracy(on_drawn, chance, rows.noise.replacement, len(rows.drawn))


def _accepted(metric: keras.Metric, rows: _LabelRows) -> float:
    """Number of classes that a metric accepts for a row, on average."""
    if isinstance(rows.label, BinaryLabel) or not isinstance(metric, keras.metrics.SparseTopKCategoricalAccuracy):
        return 1.0
    probabilities = rows.probabilities
    accepted = min(metric.k, probabilities.shape[1])
    # Keras accepts every class that is tied with the last one.
    last = np.partition(probabilities, -accepted, axis=1)[:, -accepted]
    return float((probabilities >= last[:, None]).sum(axis=1).mean())
