"""Formats the metrics of a label party without digits that were not released."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

from coordinator.history import metrics_as_dictionary
from party.metrics.sampled_negatives import negatives_words
from party.pb import party_pb2 as pb
from party.security.printable import printable

LINE_DIGITS = 4
UNDEFINED = "undefined"
WITHHELD = "withheld"


def figure_text(value: float, digits: int = LINE_DIGITS) -> str:
    """Formats a metric without an exponent and without trailing zeros, which could be digits that were rounded away.

    Args:
        value: as the label party released it.
        digits: largest number of significant digits.

    Returns:
        The text, such as 0.785; `undefined` for an undefined metric.
    """
    if math.isnan(value):
        return UNDEFINED
    return f"{Decimal(f'{value:.{digits}g}'):f}" if math.isfinite(value) else str(value)


def undefined_text(names: Iterable[str]) -> str:
    """Says of which metrics there is no figure, and why.

    Args:
        names: names of metrics, at least one.

    Returns:
        A sentence; names are escaped for a terminal.
    """
    listed = ", ".join(printable(name) for name in names)
    return f"{UNDEFINED}: {listed}: too few rows of a class, or labels that are all equal"


def withheld_text(names: Iterable[str], reason: str) -> str:
    """Says which metrics the label party withholds, and why.

    Args:
        names: names of metrics, at least one.
        reason: as `coarse_reason` gives it.

    Returns:
        A sentence; names are escaped for a terminal.
    """
    return f"{WITHHELD}: {', '.join(map(printable, names))}: {reason}; the label party's own record has them"


def metrics_text(prefix: str, metrics: pb.Metrics) -> str:
    """Formats names and values of metrics on one line.

    Args:
        prefix: put before every name.
        metrics: as the label party released them.

    Returns:
        The text; names are escaped for a terminal. It ends with what the metrics are over, if negatives were sampled.
    """
    return "  ".join(metric_texts(prefix, metrics)) + negatives_words(metrics.negatives_per_positive)


def metric_texts(prefix: str, metrics: pb.Metrics) -> list[str]:
    """Formats name and value of each metric.

    Args:
        prefix: put before every name.
        metrics: as the label party released them.

    Returns:
        Texts such as `auc 0.785`; names are escaped for a terminal.
    """
    shown = [(name, figure_text(value)) for name, value in metrics_as_dictionary(metrics).items()]
    shown += [(name, WITHHELD) for name in metrics.withheld]
    return [f"{prefix}{printable(name)} {one}" for name, one in shown]
