"""The metric of early stopping: which of its values are better, and whether the held-out rows define it."""

from __future__ import annotations

from party.configuration.run import EarlyStoppingSection, Mode
from party.cut.hidden import FloatArray
from party.data.labels import LabelArrays
from party.errors import ConfigurationError
from party.metrics.direction import Direction
from party.models.scores import Scores
from party.protocol.early_stopping import VALIDATION_PREFIX
from party.runtime.batch_setup import BatchSetup

KEY = "training.early_stopping"
_MODES: dict[Direction, Mode] = {Direction.SMALLER: "min", Direction.LARGER: "max"}


def stopping_mode(party: str, section: EarlyStoppingSection, scores: Scores) -> Mode:
    """Finds whether smaller or larger values of the metric to stop by are better.

    Args:
        party: name of the label party, which alone knows what its metrics are.
        section: the section of the run configuration.
        scores: metrics of its labels.

    Returns:
        What the metric means; what the section says where that is not known.

    Raises:
        ConfigurationError: there is no such metric, or the mode is missing or contradicts what the metric means.
    """
    directions, metric = scores.directions, section.metric
    direction = directions.get(metric.removeprefix(VALIDATION_PREFIX))
    if direction is None:
        raise ConfigurationError(
            f"no metric is named {metric}",
            where=f"{party}: {KEY}.metric",
            expected="one of " + ", ".join(f"{VALIDATION_PREFIX}{name}" for name in directions),
        )
    if direction is Direction.ONE:
        raise ConfigurationError(
            f"{metric} is best at 1: neither smaller nor larger values are better",
            where=f"{party}: {KEY}.metric",
            fix="stop by another metric, such as calibration_error or the loss",
        )
    known = _MODES.get(direction)
    if known is not None and section.mode not in (None, known):
        raise ConfigurationError(
            f"mode {section.mode} contradicts {metric}, of which {direction.name.lower()} values are better",
            where=f"{party}: {KEY}.mode",
            expected=known,
            fix="leave mode out",
        )
    mode = known or section.mode
    if mode is None:
        raise ConfigurationError(
            f"whether smaller or larger values of {metric} are better cannot be inferred",
            where=f"{party}: {KEY}.mode",
            expected="min or max",
            fix="set mode, or stop by another metric",
        )
    return mode


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
    rows = setup.training.held_out_rows
    rows = rows[LabelArrays(labels[rows]).known]
    groups = None if setup.metric_groups is None else setup.metric_groups[rows]
    if section.metric.removeprefix(VALIDATION_PREFIX) in scores.undefined(labels[rows], groups):
        raise ConfigurationError(
            f"{section.metric} is undefined over the held-out rows: they have one class only, no group with what it"
            " needs, or labels that are equal",
            where=f"{setup.opening.context.party}: {KEY}.metric",
            expected=f"a metric that they define, such as {VALIDATION_PREFIX}loss",
            fix="name another metric, or hold out other rows",
        )
