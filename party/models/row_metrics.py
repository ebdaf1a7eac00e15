"""The metrics of this project, which NumPy computes exactly from all rows of a pass at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from party.configuration.labels import AnyLabel
from party.configuration.metrics import MetricSection, RowMetricName
from party.cut.hidden import FloatArray
from party.errors import ConfigurationError
from party.metrics.average_precision import average_precision
from party.metrics.calibration import calibration_error, calibration_ratio
from party.metrics.classified_rows import f1, log_loss
from party.metrics.direction import Direction
from party.metrics.grouped_area import grouped_area
from party.metrics.groups import Groups, RankedGroups
from party.metrics.ranked_lists import discounted_gain, hit_rate

THRESHOLD = np.float32(0.5)  # of Keras, for what is predicted to be positive


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelRows:
    """What is known of one label over the rows of a pass.

    Attributes:
        label: its section.
        truth: its values, float32 (rows,).
        outputs: outputs for it, float32 (rows, units of the label).
        probabilities: probabilities of classes, or numbers; float64, same shape.
        groups: number of each row's group by the column that makes the groups, int32 (rows,).
    """

    label: AnyLabel
    truth: FloatArray
    outputs: FloatArray
    probabilities: npt.NDArray[np.float64]
    groups: Mapping[str, Groups] = field(default_factory=dict)
    _ranked: dict[str, RankedGroups] = field(default_factory=dict, init=False, repr=False)

    @property
    def positive_outputs(self) -> FloatArray:
        """The output of the positive class, float32 (rows,)."""
        return self.outputs[:, 0]

    @property
    def predicted(self) -> npt.NDArray[np.bool_]:
        """Which rows are predicted to be positive, as Keras does, bool (rows,)."""
        return self.probabilities[:, 0].astype(np.float32) > THRESHOLD

    def confidences(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The probability that a row is right and whether it is, float64 (rows,).

        Of a label with two classes a row is right if it is positive; of several, if its class is the most probable one.
        """
        if self.label.kind == "binary":
            return self.probabilities[:, 0], self.truth.astype(np.float64)
        right = (self.probabilities.argmax(axis=1) == self.truth).astype(np.float64)
        return self.probabilities.max(axis=1), right

    def ranked(self, column: str | None) -> RankedGroups:
        """The rows, ranked within the groups of a column; sorted once for all metrics by it."""
        if column is None or column not in self.groups:
            raise RuntimeError("rows were not put into the groups of a metric")
        if column not in self._ranked:
            self._ranked[column] = RankedGroups(self.positive_outputs, self.truth, self.groups[column])
        return self._ranked[column]


@dataclass(frozen=True)
class _Kind:
    """A kind of metric.

    Attributes:
        labels: kinds of labels that have it.
        direction: which of its values are better.
        compute: computes it; NaN where the labels leave it undefined.
    """

    labels: tuple[str, ...]
    direction: Direction
    compute: Callable[[LabelRows, MetricSection], float]


_BINARY, _CLASSES = ("binary",), ("binary", "multi_class")
_KINDS: dict[RowMetricName, _Kind] = {
    "f1": _Kind(_BINARY, Direction.LARGER, lambda rows, _: f1(rows.predicted, rows.truth)),
    "pr_auc": _Kind(_BINARY, Direction.LARGER, lambda rows, _: average_precision(rows.positive_outputs, rows.truth)),
    "log_loss": _Kind(_CLASSES, Direction.SMALLER, lambda rows, _: log_loss(rows.outputs, rows.truth)),
    "calibration": _Kind(
        _BINARY, Direction.ONE, lambda rows, _: calibration_ratio(rows.probabilities[:, 0], rows.truth)
    ),
    "calibration_error": _Kind(_CLASSES, Direction.SMALLER, lambda rows, _: calibration_error(*rows.confidences())),
    "grouped_auc": _Kind(_BINARY, Direction.LARGER, lambda rows, given: grouped_area(rows.ranked(given.by))),
    "hit_rate": _Kind(_BINARY, Direction.LARGER, lambda rows, given: hit_rate(rows.ranked(given.by), given.k or 1)),
    "ndcg": _Kind(_BINARY, Direction.LARGER, lambda rows, given: discounted_gain(rows.ranked(given.by), given.k or 1)),
}


@dataclass(frozen=True)
class RowMetric:
    """A metric of a label.

    Attributes:
        name: its kind.
        given: its section.
    """

    name: RowMetricName
    given: MetricSection

    @property
    def key(self) -> str:
        """Its name in histories, such as f1 or ndcg_10."""
        return self.name if self.given.k is None else f"{self.name}_{self.given.k}"

    @property
    def direction(self) -> Direction:
        """Which of its values are better."""
        return _KINDS[self.name].direction

    def __call__(self, rows: LabelRows) -> float:
        """Computes it; NaN where the labels leave it undefined."""
        return _KINDS[self.name].compute(rows, self.given)

    def counted_groups(self, rows: LabelRows) -> int | None:
        """Number of groups behind it; None for a metric without groups."""
        if self.given.by is None:
            return None
        ranked = rows.ranked(self.given.by)
        return int(np.count_nonzero(ranked.with_both if self.name == "grouped_auc" else ranked.with_positive))


def row_metric(label: AnyLabel, given: MetricSection, where: str) -> RowMetric | None:
    """Makes a metric of this project.

    Args:
        label: the label's section.
        given: one of its metrics.
        where: name of the party and key, for errors.

    Returns:
        The metric; None for one of Keras.

    Raises:
        ConfigurationError: the label's kind has no such metric.
    """
    name = given.row_metric
    if name is None:
        return None
    if label.kind not in _KINDS[name].labels:
        others = ", ".join(row_metrics_of(label.kind)) or "MeanAbsoluteError"
        raise ConfigurationError(
            f"{given.name} is no metric of a {label.kind} label",
            where=where,
            expected=f"a label of kind {' or '.join(_KINDS[name].labels)}",
            fix=f"name another one, such as {others}",
        )
    return RowMetric(name, given)


def row_metrics_of(kind: str) -> list[str]:
    """Names of the metrics that a kind of label has."""
    return [name for name, one in _KINDS.items() if kind in one.labels]
