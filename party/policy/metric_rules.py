"""The owner's rules for releasing metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricRules:
    """The rules by which a party releases metrics to the coordinator.

    Attributes:
        minimum_rows: fewest rows behind any metric.
        running: whether metrics are released while a pass is under way.
        exact: whether metrics are released as they are, neither bounded nor rounded.
    """

    minimum_rows: int
    running: bool
    exact: bool
