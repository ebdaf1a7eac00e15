"""The rules that private labels of one party have to follow together."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from party.configuration.labels import AnyLabel, Labels
from party.configuration.metrics import GROUPED

MOST_EPSILON_OF_A_ROW = 64.0
READABLE_EPSILON = 2.0  # from here on, attackers who add columns of their own read most labels
UNCORRECTED_METRICS = ("pr_auc", "calibration_error", *GROUPED)  # what drawn labels say of these has a bias

# The losses whose corrected form is known: of drawn classes, and of targets without bias.
CORRECTED_LOSSES = {
    "binary": "binary_crossentropy",
    "multi_class": "sparse_categorical_crossentropy",
    "regression": "mean_squared_error",
}


def epsilon_of_a_row(labels: Labels) -> float | None:
    """Privacy loss of all labels of a row together; None without private labels.

    Args:
        labels: labels by name.
    """
    epsilons = [Fraction(repr(label.privacy.epsilon)) for label in labels.values() if label.privacy is not None]
    return float(sum(epsilons)) if epsilons else None  # as written: .1 + .2 is .3


def check_label_privacy(labels: Labels, has_weights: bool, weights_are_independent: bool) -> None:
    """Refuses private labels whose privacy something else would undo, or that cannot be trained with.

    Args:
        labels: labels by name.
        has_weights: whether the rows have weights.
        weights_are_independent: whether the owner declares that these weights say nothing about labels.

    Raises:
        ValueError: it names the key and the reason.
    """
    exact = [name for name, label in labels.items() if label.privacy is None]
    if len(exact) == len(labels):
        if weights_are_independent:
            raise ValueError("label_independent_weights is for sample_weight beside private labels")
        return
    if exact:
        raise ValueError(f"labels.{exact[0]} needs privacy too: an exact label tells about the private ones of its row")
    for name, label in labels.items():
        _check_loss(name, label)
        _check_metrics(name, label)
    if has_weights != weights_are_independent:
        raise ValueError(
            "sample_weight beside private labels: weights that depend on labels reveal them;"
            " set label_independent_weights: true if they do not"
            if has_weights
            else "label_independent_weights needs sample_weight"
        )
    total = epsilon_of_a_row(labels)
    if total is not None and total > MOST_EPSILON_OF_A_ROW:
        raise ValueError(f"labels: the epsilons of a row add up to {total:g}, which protects nothing")


def label_privacy_warnings(labels: Labels) -> Iterator[str]:
    """Warns of an epsilon at which labels count as readable.

    Args:
        labels: labels by name.

    Yields:
        At most one sentence.
    """
    total = epsilon_of_a_row(labels)
    if total is not None and total >= READABLE_EPSILON:
        yield (
            f"data.labels: privacy.epsilon is {total:g} for the labels of a row together: from {READABLE_EPSILON:g} on"
            " labels are readable, as attackers add what they know from their own columns"
        )


def _check_loss(name: str, label: AnyLabel) -> None:
    expected = CORRECTED_LOSSES[label.kind]
    if label.loss.name.replace("_", "").lower() != expected.replace("_", "") or label.loss.arguments:
        raise ValueError(
            f"labels.{name}.loss: with privacy only {expected} without arguments,"
            " as no other loss can be corrected for labels drawn at random"
        )


def _check_metrics(name: str, label: AnyLabel) -> None:
    for metric in label.metrics:
        if metric.row_metric in UNCORRECTED_METRICS:
            raise ValueError(
                f"labels.{name}.metrics: with privacy not {metric.name}, whose value on true labels does not follow"
                " from labels drawn at random; auc, f1, log_loss and calibration can be corrected"
            )
