"""The metrics of this project with their bounds."""

from __future__ import annotations

import math

import numpy as np

from party.metrics.bounded_classes import bounded_ratio, f1_bound, precision_bound
from party.metrics.bounded_figures import BoundedFigure
from party.metrics.bounded_groups import bounded_by_groups, bounded_by_rows
from party.metrics.calibration import calibration_error
from party.models.row_metrics import LabelRows, RowMetric

UNDEFINED = BoundedFigure(math.nan, math.nan)
LEAST_CLASS_ROWS = 10  # below, figures of a class reveal single rows however they are rounded


def bounded_row_metric(metric: RowMetric, rows: LabelRows, value: float, *, least_groups: int) -> BoundedFigure:
    """Computes a metric with its bound; the log loss, a mean over rows, is bounded as other losses are.

    Args:
        metric: the metric.
        rows: the rows of a pass, at least one.
        value: the exact metric.
        least_groups: fewest groups behind a metric that has any.

    Returns:
        The figure; UNDEFINED with too few positive rows, or too few groups that count.
    """
    groups = metric.counted_groups(rows)
    if groups is not None:
        if groups < max(LEAST_CLASS_ROWS, least_groups):
            return UNDEFINED
        bounded = bounded_by_rows if metric.name == "grouped_auc" else bounded_by_groups
        return bounded(value, rows.ranked(metric.given.by))
    # A probability that is no number counts as 1: a NaN in a mean would give its row away.
    if metric.name == "calibration_error":
        confidences, right = rows.confidences()
        return BoundedFigure(calibration_error(np.nan_to_num(confidences, nan=1.0), right), 2.0 / len(right))
    positives = int(np.count_nonzero(rows.truth))
    if positives < LEAST_CLASS_ROWS:
        return UNDEFINED
    if metric.name == "calibration":
        return bounded_ratio(float(np.nan_to_num(rows.probabilities, nan=1.0).sum()), positives)
    return BoundedFigure(value, f1_bound(positives) if metric.name == "f1" else precision_bound(positives))
