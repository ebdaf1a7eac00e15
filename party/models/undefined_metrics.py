"""Which metrics the labels of some rows leave undefined, whatever a model says about these rows."""

from __future__ import annotations

import keras
import numpy as np

from party.configuration.labels import AnyLabel, BinaryLabel, RegressionLabel
from party.cut.hidden import FloatArray

_NEED_BOTH_CLASSES = (
    keras.metrics.AUC,
    keras.metrics.SensitivityAtSpecificity,
    keras.metrics.SpecificityAtSensitivity,
    keras.metrics.PrecisionAtRecall,
    keras.metrics.RecallAtPrecision,
)


def undefined_by_labels(label: AnyLabel, metric: keras.Metric, truth: FloatArray) -> bool:
    """Whether a metric divides by zero for these labels.

    Args:
        label: the label's section.
        metric: one of its metrics.
        truth: values of the label, float32 (rows,).

    Returns:
        True for a metric of both classes where one is absent, for a recall without positive rows, and for R² of equal
        numbers. Keras has 0 or an arbitrary number in these places.
    """
    if isinstance(label, BinaryLabel):
        positives = int(np.count_nonzero(truth))
        if isinstance(metric, _NEED_BOTH_CLASSES):
            return positives in (0, len(truth))
        return isinstance(metric, keras.metrics.Recall) and not positives
    return isinstance(label, RegressionLabel) and isinstance(metric, keras.metrics.R2Score) and np.ptp(truth) == 0


def undefined_by_predictions(label: AnyLabel, metric: keras.Metric, truth: FloatArray) -> bool:
    """Whether a precision is zero over zero: no row is positive, and none was predicted to be.

    Args:
        label: the label's section.
        metric: one of its metrics, after it has seen these rows.
        truth: values of the label, float32 (rows,).
    """
    if not isinstance(label, BinaryLabel) or not isinstance(metric, keras.metrics.Precision) or truth.any():
        return False
    return not np.any(keras.ops.convert_to_numpy(metric.false_positives))
