"""Metrics that are released where labels are drawn: of the drawn labels, corrected for how they were drawn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np

from party.configuration.labels import BinaryLabel, Labels
from party.configuration.private_labels import UNCORRECTED_METRICS
from party.cut.hidden import FloatArray
from party.data.labels import LabelNoise
from party.metrics.classified_rows import row_log_losses
from party.metrics.corrected_figures import DrawnClasses, EstimatedFigure, corrected_accuracy, corrected_mean
from party.metrics.groups import Groups
from party.metrics.released_metrics import Figures
from party.models.row_metrics import LabelRows, RowMetric
from party.models.scores import NamedMetric, Scores

ERROR_SUFFIX = "_error"  # of the name of a metric's standard error


@dataclass(frozen=True)
class _DrawnRows:
    """The rows of a pass with drawn labels.

    Attributes:
        rows: the rows as the label has them.
        noise: how it was drawn.
    """

    rows: LabelRows
    noise: LabelNoise

    @property
    def classes(self) -> DrawnClasses:
        return DrawnClasses(self.rows.truth, self.noise.replacement)


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
        return tuple(one.key for one in every if not (_is_kept(one.metric) or _is_corrected(one)))

    def __call__(
        self, name: str, outputs: FloatArray, labels: FloatArray, exact: Figures, *, groups: Groups | None = None
    ) -> Mapping[str, float]:
        """Computes the released metrics of a pass.

        Args:
            name: name of the pass.
            outputs: outputs of all labels side by side, float32 (rows, outputs), at least one row.
            labels: drawn labels of the rows, float32 (rows, labels).
            exact: metrics of these rows on drawn labels, by name.
            groups: None: private labels have no metric with groups.

        Returns:
            Losses and means as they are; every other metric with its standard error beside it, both NaN where the
            draws say too little.
        """
        scored = set(self._scores.names)
        released = {key: value for key, value in exact.items() if key not in scored}
        for label_name, rows in self._scores.split(outputs, labels, groups):
            drawn = _DrawnRows(rows, self._noise[label_name])
            released.update(self._of_label(label_name, drawn, exact))
        return released

    def _of_label(self, name: str, drawn: _DrawnRows, exact: Mapping[str, float]) -> Iterator[tuple[str, float]]:
        for one in self._scores.of_label(name):
            if _is_kept(one.metric):
                yield one.key, exact[one.key]
            elif _is_corrected(one):
                figure = _estimate(one.metric, drawn, exact[one.key])
                yield one.key, figure.value
                yield f"{one.key}{ERROR_SUFFIX}", figure.error


def _is_kept(metric: keras.Metric | RowMetric) -> bool:
    """Whether a metric is released as it is."""
    return type(metric) is keras.metrics.MeanSquaredError


def _is_corrected(one: NamedMetric) -> bool:
    if isinstance(one.metric, RowMetric):
        return one.metric.name not in UNCORRECTED_METRICS
    if isinstance(one.metric, keras.metrics.AUC | keras.metrics.Precision | keras.metrics.Recall):
        return not one.given.arguments
    return type(one.metric) in (
        keras.metrics.BinaryAccuracy,
        keras.metrics.SparseCategoricalAccuracy,
        keras.metrics.SparseTopKCategoricalAccuracy,
    )


def _estimate(metric: keras.Metric | RowMetric, drawn: _DrawnRows, on_drawn: float) -> EstimatedFigure:
    rows = drawn.rows
    match metric:
        case RowMetric():
            return _estimate_row_metric(metric, drawn)
        case keras.metrics.AUC():
            return drawn.classes.area(rows.positive_outputs)
        case keras.metrics.Precision():
            return drawn.classes.precision(rows.predicted)
        case keras.metrics.Recall():
            return drawn.classes.recall(rows.predicted)
    chance = _accepted(metric, rows) / drawn.noise.symbols
    return corrected_accuracy(on_drawn, chance, drawn.noise.replacement, len(rows.truth))


def _estimate_row_metric(metric: RowMetric, drawn: _DrawnRows) -> EstimatedFigure:
    rows = drawn.rows
    if metric.name == "f1":
        return drawn.classes.f1(rows.predicted)
    if metric.name == "calibration":
        return drawn.classes.calibration(rows.probabilities[:, 0])
    if metric.name == "log_loss":
        return corrected_mean(row_log_losses(rows.outputs), rows.truth, drawn.noise.replacement)
    raise RuntimeError("a metric without a correction passed validation")


def _accepted(metric: keras.Metric, rows: LabelRows) -> float:
    """Number of classes that a metric accepts for a row, on average."""
    if isinstance(rows.label, BinaryLabel) or not isinstance(metric, keras.metrics.SparseTopKCategoricalAccuracy):
        return 1.0
    probabilities = rows.probabilities.astype(np.float32)  # as Keras gets them
    accepted = min(metric.k, probabilities.shape[1])
    # Keras accepts every class that is tied with the last one.
    last = np.partition(probabilities, -accepted, axis=1)[:, -accepted]
    return float((probabilities >= last[:, None]).sum(axis=1).mean())
