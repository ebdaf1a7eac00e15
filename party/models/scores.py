"""Computes the Keras metrics of a pass over rows."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping

import keras
import numpy as np
import numpy.typing as npt

from party.configuration.keras_objects import KerasObject
from party.configuration.labels import AnyLabel, BinaryLabel, Labels, MultiClassLabel
from party.cut.hidden import FloatArray
from party.errors import ConfigurationError
from party.metrics.area_under_curve import area_under_curve
from party.models.keras_objects import build_metrics
from party.models.undefined_metrics import undefined_by_labels, undefined_by_predictions


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
        # Built once: TensorFlow never frees all the memory of a Keras metric.
        self._metrics = {name: build_metrics(label, f"{party}: data.labels.{name}") for name, label in labels.items()}
        self._lock = threading.Lock()  # a call for running metrics may coincide with the end of a pass
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"two metrics are named {twice[0]}", where=f"{party}: data.labels")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all metrics, as in the history."""
        return tuple(key for name in self._labels for key, _, _ in self.of_label(name))

    def of_label(self, name: str) -> list[tuple[str, KerasObject, keras.Metric]]:
        """The metrics of a label: the name in the history, the configured metric, and the Keras object."""
        return [
            (self._name(name, _metric_name(given.name)), given, metric)
            for given, metric in zip(self._labels[name].metrics, self._metrics[name], strict=True)
        ]

    def __call__(self, outputs: FloatArray, labels: FloatArray) -> Mapping[str, float]:
        """Computes all metrics.

        Args:
            outputs: outputs of all labels side by side, float32 (rows, outputs).
            labels: labels of the rows, float32 (rows, labels).

        Returns:
            Values by name; NaN where a metric is undefined.
        """
        values: dict[str, float] = {}
        start = 0
        for place, (name, label) in enumerate(self._labels.items()):
            scores, start = outputs[:, start : start + label.units], start + label.units
            for key, given, metric in self.of_label(name):
                if undefined_by_labels(label, metric, labels[:, place]):
                    values[key] = math.nan
                    continue
                if isinstance(metric, keras.metrics.AUC) and not given.arguments:
                    values[key] = area_under_curve(scores[:, 0], labels[:, place])
                    continue
                truth = labels[:, place : place + 1] if label.units == 1 else labels[:, place]
                with self._lock:
                    metric.reset_state()
                    metric.update_state(truth, predictions(label, scores).astype(np.float32))
                    values[key] = float(metric.result())
                    if undefined_by_predictions(label, metric, labels[:, place]):
                        values[key] = math.nan
        return values

    def undefined(self, labels: FloatArray) -> tuple[str, ...]:
        """Names of the metrics that these labels leave undefined, whatever the outputs.

        Args:
            labels: labels of the rows, float32 (rows, labels).
        """
        return tuple(
            key
            for place, (name, label) in enumerate(self._labels.items())
            for key, _, metric in self.of_label(name)
            if undefined_by_labels(label, metric, labels[:, place])
        )

    def _name(self, label: str, metric: str) -> str:
        return metric if len(self._labels) == 1 else f"{label}_{metric}"


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
