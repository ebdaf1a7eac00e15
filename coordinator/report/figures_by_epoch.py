"""The released figures of a run, ready to be shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from coordinator.figures import figure_text
from coordinator.history import History
from party.page.metric_words import VALIDATION_PREFIX, is_standard_error
from party.security.printable import printable

MOST_METRICS = 120  # of one page: a label party may name any number
DIGITS = 6  # significant digits of exact figures; rounded ones have fewer
ROUNDED_DIGITS = 3  # significant digits of figures that were rounded for a coordinator


@dataclass(frozen=True)
class MetricByEpoch:
    """A metric over the epochs of a run.

    Attributes:
        name: without the prefix of held-out rows.
        train: values on training rows; None where one is undefined. Empty if it was not released.
        held_out: the same on held-out rows.
    """

    name: str
    train: tuple[float | None, ...]
    held_out: tuple[float | None, ...]

    @property
    def values(self) -> tuple[float, ...]:
        """All values that there are."""
        return tuple(value for value in (*self.train, *self.held_out) if value is not None)


def metrics_by_epoch(history: History) -> list[MetricByEpoch]:
    """The metrics of a history, in the order in which the label party named them; standard errors are left out.

    Args:
        history: of a run.
    """
    series = history.history
    named = dict.fromkeys(name.removeprefix(VALIDATION_PREFIX) for name in series)
    return [
        MetricByEpoch(
            printable(name),
            _padded(series.get(name, ()), len(history.epoch)),
            _padded(series.get(VALIDATION_PREFIX + name, ()), len(history.epoch)),
        )
        for name in [one for one in named if not is_standard_error(one, named)][:MOST_METRICS]
    ]


def value_text(value: float) -> str:
    """A figure with the digits that were released."""
    return figure_text(value, DIGITS)


def optional_text(value: float | None) -> str:
    """A figure with the digits that were released, if it is defined."""
    return "undefined" if value is None else value_text(value)


def last_digit(values: Sequence[float]) -> str:
    """The place of the last digit of any value, such as 0.001: nothing finer was released.

    Args:
        values: at least one.
    """
    exponents = [Decimal(value_text(value)).normalize().as_tuple().exponent for value in values]
    return f"{Decimal(1).scaleb(min(0, *(one for one in exponents if isinstance(one, int)), 0)):f}"


def is_rounded(values: Sequence[float]) -> bool:
    """Whether no value has more digits than rounded figures have.

    Args:
        values: as released.
    """
    return all(math.isclose(float(f"{value:.{ROUNDED_DIGITS}g}"), value, rel_tol=1e-12) for value in values)


def _padded(values: Sequence[float], epochs: int) -> tuple[float | None, ...]:
    if not values:
        return ()
    known = [value if math.isfinite(value) else None for value in values[:epochs]]
    return (*known, *(None for _ in range(epochs - len(known))))
