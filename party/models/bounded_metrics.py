"""Metrics of a pass whose sensitivity to one row is bounded: these may be released, once they are rounded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import keras
import numpy as np

from party.configuration.keras_objects import KerasObject
from party.configuration.labels import AnyLabel, Labels, RegressionLabel
from party.cut.hidden import FloatArray
from party.metrics.bounded_figures import BoundedFigure, area_bound, bounded_mean
from party.metrics.grid import step_above
from party.metrics.groups import Groups
from party.metrics.pass_metrics import LOSS
from party.models.bounded_row_metrics import LEAST_CLASS_ROWS, UNDEFINED, bounded_row_metric
from party.models.losses import TaskLosses
from party.models.row_metrics import LabelRows, RowMetric
from party.models.scores import NamedMetric, Scores

# Bound on the cross entropy of one row: 4 corresponds to a probability of 0.018 for its label. With many classes, it is
# twice the cross entropy of equal probabilities.
LEAST_LOSS_LIMIT = 4.0
GUESS_MULTIPLE = 2.0
# Bound on a regression loss, which is unbounded by itself: a multiple of the loss that this share of the rows would not
# exceed if every output were the median label. It does not depend on outputs: whoever chooses those must not choose it.
BASELINE_QUANTILE = 0.9
BASELINE_MULTIPLE = 2.0
REGRESSION_SPAN = 1 / 4  # of that bound: about twice the mean loss if every output were the median label

SHARES = (
    keras.metrics.BinaryAccuracy,
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseTopKCategoricalAccuracy,
)
CROSS_ENTROPIES = {
    keras.metrics.BinaryCrossentropy: keras.losses.BinaryCrossentropy,
    keras.metrics.SparseCategoricalCrossentropy: keras.losses.SparseCategoricalCrossentropy,
}
LOG_LOSSES = {"binary": keras.losses.BinaryCrossentropy, "multi_class": keras.losses.SparseCategoricalCrossentropy}
ERRORS = {
    keras.metrics.MeanSquaredError: keras.losses.MeanSquaredError,
    keras.metrics.RootMeanSquaredError: keras.losses.MeanSquaredError,
    keras.metrics.MeanAbsoluteError: keras.losses.MeanAbsoluteError,
    keras.metrics.MeanAbsolutePercentageError: keras.losses.MeanAbsolutePercentageError,
    keras.metrics.MeanSquaredLogarithmicError: keras.losses.MeanSquaredLogarithmicError,
    keras.metrics.LogCoshError: keras.losses.LogCosh,
}


class BoundedMetrics:
    """Computes the metrics that have a known bound, and names the others.

    The loss is that of evaluation: each row has weight 1, without regularisation and learned task weights. Gradient
    shares, task weights and gates are not released: the effect of one row on them is not known.

    The bound of a regression loss follows from the labels of all rows, in steps of 1, 2 or 5 times a power of ten: a
    constant of the dataset that shows how far its labels spread. Bounds hold for rows that do not change that constant;
    whoever chooses outputs cannot change it.

    Args:
        labels: labels by name.
        losses: losses of the labels.
        scores: scores of the labels.
        least_groups: fewest groups behind a metric that has any.
        sampled: number of negatives that were sampled for each positive row; an area is then that of events, each with
            its negatives.
    """

    def __init__(
        self, labels: Labels, losses: TaskLosses, scores: Scores, *, least_groups: int = 1, sampled: int = 0
    ) -> None:
        self._labels = labels
        self._losses = losses
        self._scores = scores
        self._least_groups = least_groups
        self._sampled = sampled
        means = {
            (name, one.key): _mean_loss(label, one) for name, label in labels.items() for one in scores.of_label(name)
        }
        self._row_losses = {
            key: TaskLosses({name: _with_loss(labels[name], loss)}, uncertainty=False, party="")
            for (name, key), loss in means.items()
            if loss is not None
        }

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the metrics that are not released."""
        every = (one for name in self._labels for one in self._scores.of_label(name))
        return tuple(one.key for one in every if not self._is_released(one))

    def __call__(
        self, outputs: FloatArray, labels: FloatArray, exact: Mapping[str, float], *, groups: Groups | None = None
    ) -> dict[str, BoundedFigure]:
        """Computes the metrics with their bounds, by name.

        Args:
            outputs: outputs of all labels side by side, float32 (rows, outputs).
            labels: labels of the rows, float32 (rows, labels), at least one row.
            exact: exact metrics of these rows, by name.
            groups: number of each row's group by column, int32 (rows, columns); None if no metric has groups.

        Returns:
            The loss first. UNDEFINED are an area under the curve unless both classes have LEAST_CLASS_ROWS rows: no
            class at all must look like a few rows of it; and the losses of numbers that are all equal.
        """
        figures = dict(self._mean_losses(outputs, labels))
        for name, rows in self._scores.split(outputs, labels, groups):
            for one in filter(self._is_released, self._scores.of_label(name)):
                figures[one.key] = self._figure(name, one, rows, exact[one.key])
        return figures

    def _is_released(self, one: NamedMetric) -> bool:
        if isinstance(one.metric, RowMetric):
            return True
        return one.key in self._row_losses or _is_share(one.metric) or _is_exact_area(one.given, one.metric)

    def _figure(self, name: str, one: NamedMetric, rows: LabelRows, exact: float) -> BoundedFigure:
        if one.key in self._row_losses:
            figure = _bounded(rows.label, name, self._row_losses[one.key], rows.truth, outputs=rows.outputs)
            root = isinstance(one.metric, keras.metrics.RootMeanSquaredError)
            return replace(figure, root=root)
        if isinstance(one.metric, RowMetric):
            return bounded_row_metric(one.metric, rows, exact, least_groups=self._least_groups)
        if _is_share(one.metric):
            return BoundedFigure(exact, 1 / len(rows.truth))
        positives = int(rows.truth.sum())
        if min(positives, len(rows.truth) - positives) < LEAST_CLASS_ROWS:
            return UNDEFINED
        bound = area_bound(positives, len(rows.truth) - positives, max(1, self._sampled))
        return BoundedFigure(exact, bound, units=len(rows.truth) // (1 + self._sampled) if self._sampled else None)

    def _mean_losses(self, outputs: FloatArray, labels: FloatArray) -> Iterator[tuple[str, BoundedFigure]]:
        """The loss and, with several labels, that of each; UNDEFINED where a bound is missing."""
        by_label = {
            name: _bounded(label, name, self._losses, labels[:, place], outputs=self._outputs_of(place, outputs))
            for place, (name, label) in enumerate(self._labels.items())
        }
        weighted = list(zip(self._losses.fixed_weights, by_label.values(), strict=True))
        value = sum(weight * one.value for weight, one in weighted)
        bound = sum(weight * one.bound for weight, one in weighted)
        span = sum(weight * one.span for weight, one in weighted)
        yield LOSS, BoundedFigure(float(value), float(bound), span=float(span))
        if len(self._labels) > 1:
            yield from ((f"{name}_{LOSS}", figure) for name, figure in by_label.items())

    def _outputs_of(self, place: int, outputs: FloatArray) -> FloatArray:
        units = [label.units for label in self._labels.values()]
        start = sum(units[:place])
        return outputs[:, start : start + units[place]]


def _bounded(
    label: AnyLabel, name: str, losses: TaskLosses, truth: FloatArray, *, outputs: FloatArray
) -> BoundedFigure:
    """The mean of bounded row losses; UNDEFINED if all labels are equal, as they then have no scale."""
    limit = _limit(label, name, losses, truth)
    if limit is None:
        return UNDEFINED
    return replace(bounded_mean(losses.by_row(name, truth, outputs), limit), span=_span(label, limit))


def _span(label: AnyLabel, limit: float) -> float:
    """Twice the loss of a guess, about: of equal probabilities of all classes, or of the median label."""
    if isinstance(label, RegressionLabel):
        return limit * REGRESSION_SPAN
    return GUESS_MULTIPLE * math.log(max(2, label.units))


def _limit(label: AnyLabel, name: str, losses: TaskLosses, truth: FloatArray) -> float | None:
    if not isinstance(label, RegressionLabel):
        return max(LEAST_LOSS_LIMIT, GUESS_MULTIPLE * math.log(label.units))
    guesses = np.full((len(truth), 1), np.median(truth), np.float32)
    baseline = np.nan_to_num(losses.by_row(name, truth, guesses).astype(np.float64), nan=0.0, posinf=0.0)
    scale = float(np.quantile(baseline, BASELINE_QUANTILE)) or float(baseline.mean())
    return step_above(BASELINE_MULTIPLE * scale).size if scale > 0 else None


def _is_share(metric: keras.Metric) -> bool:
    """Whether a metric is the share of correctly classified rows."""
    return type(metric) in SHARES


def _is_exact_area(given: KerasObject, metric: keras.Metric) -> bool:
    return isinstance(metric, keras.metrics.AUC) and not given.arguments


def _mean_loss(label: AnyLabel, one: NamedMetric) -> type[keras.Loss] | None:
    """The loss whose mean over rows is the metric; None for a metric that is no such mean."""
    if isinstance(one.metric, RowMetric):
        return LOG_LOSSES[label.kind] if one.metric.name == "log_loss" else None
    kind = type(one.metric)
    return None if one.given.arguments else CROSS_ENTROPIES.get(kind) or ERRORS.get(kind)


def _with_loss(label: AnyLabel, loss: type[keras.Loss]) -> AnyLabel:
    """The label with another loss."""
    return label.model_copy(update={"loss": KerasObject(name=loss.__name__)})
