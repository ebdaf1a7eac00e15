"""Bounds on how far all rows of one group together can move figures of groups.

A figure of groups is a weighted mean over the groups that count, and what a group brings lies between 0 and 1. If all
rows of a group get other labels and other outputs, it moves by no more than the group's share of the weight, even where
the group begins or ceases to count. So these bounds protect a group as a whole, such as all that is known of one user,
with the columns that make the groups as they are; and each of its rows with it.
"""

from __future__ import annotations

import numpy as np

from party.metrics.bounded_figures import BoundedFigure, count_below
from party.metrics.grid import step_above
from party.metrics.groups import RankedGroups


def bounded_by_rows(value: float, ranked: RankedGroups) -> BoundedFigure:
    """The figure that weighs each group with rows of both classes by its rows.

    Args:
        value: the figure, of at least one group that counts.
        ranked: the rows by group.

    Returns:
        The figure. Its bound is the rows of the largest group, counting or not, over those of all that count, both
        rounded as the step of the grid would reveal them.
    """
    largest = step_above(float(ranked.sizes.max())).size
    weight = count_below(int(ranked.sizes[ranked.with_both].sum()))
    return BoundedFigure(value, largest / weight, units=max(1, int(weight / largest)))


def bounded_by_groups(value: float, ranked: RankedGroups) -> BoundedFigure:
    """The figure that weighs every group with a positive row the same.

    Args:
        value: the figure, of at least one group that counts.
        ranked: the rows by group.

    Returns:
        The figure. Its bound is one over the number of groups that count, rounded down.
    """
    count = count_below(int(np.count_nonzero(ranked.with_positive)))
    return BoundedFigure(value, 1.0 / count, units=count)
