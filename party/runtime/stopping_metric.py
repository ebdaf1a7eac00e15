"""Refuses early stopping by a metric that the held-out rows leave undefined."""

from __future__ import annotations

from party.cut.hidden import FloatArray
from party.data.labels import LabelArrays
from party.errors import ConfigurationError
from party.models.scores import Scores
from party.protocol.early_stopping import VALIDATION_PREFIX
from party.runtime.batch_setup import BatchSetup


def check_stopping_metric(setup: BatchSetup, scores: Scores, labels: FloatArray) -> None:
    """Refuses a run whose metric to stop by would be undefined after every epoch.

    It would never improve, so that the run would end for want of patience and restore no epoch.

    Args:
        setup: the label party's setup of the session.
        scores: metrics of the labels.
        labels: labels that decisions follow from, of all rows, float32 (rows, labels): drawn ones where they are
            private, so that this tells nothing of true ones.

    Raises:
        ConfigurationError: the metric is undefined.
    """
    section = None if setup.training is None else setup.training.early_stopping
    if setup.training is None or section is None:
        return
    held_out = labels[setup.training.held_out_rows]
    undefined = scores.undefined(held_out[LabelArrays(held_out).known])
    if section.metric.removeprefix(VALIDATION_PREFIX) in undefined:
        raise ConfigurationError(
            f"{section.metric} is undefined over the held-out rows, which have one class only or labels that are equal",
            where=f"{setup.opening.context.party}: training.early_stopping.metric",
            expected=f"a metric that they define, such as {VALIDATION_PREFIX}loss",
            fix="name another metric, or hold out other rows",
        )
