"""Which values of the metrics of Keras are better."""

from __future__ import annotations

from party.metrics.direction import Direction
from party.models.keras_objects import BINARY_METRICS, MULTI_CLASS_METRICS, REGRESSION_METRICS

# Each is at its best where a model predicts one class alone.
_COUNTS = frozenset({"FalseNegatives", "FalsePositives", "TrueNegatives", "TruePositives"})
_SMALLER = REGRESSION_METRICS - {"R2Score"} | {"BinaryCrossentropy", "SparseCategoricalCrossentropy"}
_LARGER = (BINARY_METRICS | MULTI_CLASS_METRICS | REGRESSION_METRICS) - _SMALLER - _COUNTS


def keras_direction(name: str) -> Direction:
    """Which values of a metric of Keras are better.

    Args:
        name: name of its class.

    Returns:
        UNKNOWN for a count, such as that of the false positives, and for a metric that no label has.
    """
    if name in _SMALLER:
        return Direction.SMALLER
    return Direction.LARGER if name in _LARGER else Direction.UNKNOWN
