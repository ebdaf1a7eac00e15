"""The area under the ROC curve within groups of rows, averaged over the groups."""

from __future__ import annotations

import numpy as np

from party.metrics.groups import RankedGroups


def grouped_area(ranked: RankedGroups) -> float:
    """The mean of the areas of the groups that have rows of both classes, each weighted by its number of rows.

    Args:
        ranked: the rows by group.

    Returns:
        The mean; NaN where no group has rows of both classes.

    Reference:
        Zhu et al., "Optimized Cost per Click in Taobao Display Advertising", KDD 2017; as GAUC in Zhou et al., "Deep
        Interest Network for Click-Through Rate Prediction", arXiv:1706.06978, equation 6, with impressions as weights.
    """
    counted = ranked.with_both
    if not counted.any():
        return float("nan")
    negatives = (ranked.block_sizes - ranked.block_positives).astype(np.float64)
    # A negative row loses to every positive one above it, and half to those that are tied with it.
    won = ranked.sum_by_group(negatives * (ranked.positives_above + 0.5 * ranked.block_positives))
    sizes, positives = ranked.sizes[counted], ranked.positives[counted]
    areas = won[counted] / (positives * (sizes - positives))
    return float(np.average(areas, weights=sizes))
