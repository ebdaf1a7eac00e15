"""Computes the metrics of a pass over rows."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from party.configuration.labels import AnyLabel, BinaryLabel, Labels, MultiClassLabel, group_columns
from party.configuration.metrics import MetricSection
from party.cut.hidden import FloatArray
from party.errors import ConfigurationError
from party.metrics.area_under_curve import area_under_curve
from party.metrics.direction import Direction
from party.metrics.groups import Groups
from party.metrics.pass_metrics import LOSS
from party.models.keras_directions import keras_direction
from party.models.keras_objects import build_metric
from party.models.row_metrics import LabelRows, RowMetric, row_metric
from party.models.undefined_metrics import undefined_by_labels, undefined_by_predictions


@dataclass(frozen=True)
class NamedMetric:
    """A metric of a label.

    Attributes:
        key: its name in histories.
        given: its section.
        metric: computes it: the object of Keras, or the metric of this project.
    """

    key: str
    given: MetricSection
    metric: keras.Metric | RowMetric

    @property
    def direction(self) -> Direction:
        """Which of its values are better."""
        return (
            self.metric.direction if isinstance(self.metric, RowMetric) else keras_direction(type(self.metric).__name__)
        )


class Scores:
    """Computes the metrics of every label from the outputs of many rows at once.

    `AUC` without arguments is exact; with arguments it is the AUC of Keras, which
    approximates by a table of thresholds.

    Args:
        labels: labels by name.
        party: name of this party, for errors.

    Raises:
        ConfigurationError: a metric is not known, or it does not take an argument.
    """

    def __init__(self, labels: Labels, party: str) -> None:
        self._labels = labels
        self._columns = group_columns(labels)
        # Built once: TensorFlow never frees all the memory of a Keras metric.
        self._metrics = {
            name: [self._named(name, one, f"{party}: data.labels.{name}.metrics") for one in label.metrics]
            for name, label in labels.items()
        }
        self._lock = threading.Lock()  # a call for running metrics may coincide with the end of a pass
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"two metrics are named {twice[0]}", where=f"{party}: data.labels")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all metrics, as in the history."""
        return tuple(one.key for name in self._labels for one in self.of_label(name))

    def grouped_by(self, columns: Collection[str]) -> frozenset[str]:
        """Names of the metrics whose groups are those of one of some columns.

        Args:
            columns: of this party's file.
        """
        every = (one for name in self._labels for one in self.of_label(name))
        return frozenset(one.key for one in every if one.given.by in columns)

    @property
    def directions(self) -> Mapping[str, Direction]:
        """Which values are better of every loss and metric of the held-out rows, by name."""
        losses = [LOSS, *(f"{name}_{LOSS}" for name in self._labels if len(self._labels) > 1)]
        metrics = {one.key: one.direction for name in self._labels for one in self.of_label(name)}
        return {**dict.fromkeys(losses, Direction.SMALLER), **metrics}

    def of_label(self, name: str) -> list[NamedMetric]:
        """The metrics of a label."""
        return self._metrics[name]

    def __call__(self, outputs: FloatArray, labels: FloatArray, *, groups: Groups | None = None) -> Mapping[str, float]:
        """Computes all metrics.

        Args:
            outputs: outputs of all labels side by side, float32 (rows, outputs).
            labels: labels of the rows, float32 (rows, labels).
            groups: number of each row's group by `group_columns`, int32 (rows, columns); None if no metric has groups.

        Returns:
            Values by name; NaN where a metric is undefined.
        """
        return {
            one.key: self._value(one.metric, one.given, rows)
            for name, rows in self.split(outputs, labels, groups)
            for one in self.of_label(name)
        }

    def split(
        self, outputs: FloatArray, labels: FloatArray, groups: Groups | None = None
    ) -> Iterator[tuple[str, LabelRows]]:
        """The rows of a pass as each label has them, by name; arguments are those of a call."""
        by_column = {} if groups is None else {one: groups[:, place] for place, one in enumerate(self._columns)}
        start = 0
        for place, (name, label) in enumerate(self._labels.items()):
            own, start = outputs[:, start : start + label.units], start + label.units
            yield (
                name,
                LabelRows(
                    label=label,
                    truth=labels[:, place],
                    outputs=own,
                    probabilities=predictions(label, own),
                    groups=by_column,
                ),
            )

    def undefined(self, labels: FloatArray, groups: Groups | None = None) -> tuple[str, ...]:
        """Names of the metrics that these labels leave undefined, whatever the outputs.

        Args:
            labels: labels of the rows, float32 (rows, labels).
            groups: as for a call.
        """
        outputs = np.zeros((len(labels), sum(label.units for label in self._labels.values())), np.float32)
        return tuple(
            one.key
            for name, rows in self.split(outputs, labels, groups)
            for one in self.of_label(name)
            if self._is_undefined(one.metric, rows)
        )

    def with_few_groups(self, least_groups: int, labels: FloatArray, groups: Groups | None) -> frozenset[str]:
        """Names of the metrics behind which there are too few groups.

        Args:
            least_groups: fewest groups behind a metric that has any.
            labels: labels of the rows, float32 (rows, labels).
            groups: as for a call.
        """
        outputs = np.zeros((len(labels), sum(label.units for label in self._labels.values())), np.float32)
        counts = {
            one.key: one.metric.counted_groups(rows)
            for name, rows in self.split(outputs, labels, groups)
            for one in self.of_label(name)
            if isinstance(one.metric, RowMetric)
        }
        return frozenset(key for key, count in counts.items() if count is not None and count < least_groups)

    def _value(self, metric: keras.Metric | RowMetric, given: MetricSection, rows: LabelRows) -> float:
        if isinstance(metric, RowMetric):
            return metric(rows)
        if undefined_by_labels(rows.label, metric, rows.truth):
            return math.nan
        if isinstance(metric, keras.metrics.AUC) and not given.arguments:
            return area_under_curve(rows.positive_outputs, rows.truth)
        truth = rows.truth[:, None] if rows.label.units == 1 else rows.truth
        with self._lock:
            metric.reset_state()
            metric.update_state(truth, rows.probabilities.astype(np.float32))
            value = float(metric.result())
            return math.nan if undefined_by_predictions(rows.label, metric, rows.truth) else value

    def _is_undefined(self, metric: keras.Metric | RowMetric, rows: LabelRows) -> bool:
        if isinstance(metric, RowMetric):
            return math.isnan(metric(rows))  # which depends on labels and groups alone
        return undefined_by_labels(rows.label, metric, rows.truth)

    def _named(self, label: str, given: MetricSection, where: str) -> NamedMetric:
        section = self._labels[label]
        own = row_metric(section, given, where)
        key = _metric_name(given.name) if own is None else own.key
        full = key if len(self._labels) == 1 else f"{label}_{key}"
        return NamedMetric(full, given, own or build_metric(section, given, where))


def predictions(label: AnyLabel, outputs: FloatArray) -> npt.NDArray[np.float64]:
    """Converts the outputs of a label to predictions: probabilities of classes, or numbers.

    Args:
        label: the label's section.
        outputs: float32 (rows, units of the label).

    Returns:
        float64 of the same shape, from 0 to 1 for classes.
    """
    wide: npt.NDArray[np.float64] = outputs.astype(np.float64)
    match label:
        case BinaryLabel():
            wide = 0.5 * (1.0 + np.tanh(0.5 * wide))
        case MultiClassLabel():
            powers = np.exp(wide - wide.max(axis=1, keepdims=True))
            wide = powers / powers.sum(axis=1, keepdims=True)
    return wide


def _metric_name(name: str) -> str:
    """The name in histories: `AUC` and `auc` become auc, `MeanAbsoluteError` becomes mean_absolute_error."""
    if name.isupper():
        return name.lower()
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
