"""ROC and reliability curves: their areas and points are those of independent definitions."""

import numpy as np
import pytest

from party.metrics.area_under_curve import area_under_curve
from party.metrics.curves import LEAST_ROWS, MOST_POINTS, reliability_points, roc_points


def rows(count=4000, seed=0, levels=None):
    generator = np.random.default_rng(seed)
    probabilities = generator.random(count)
    if levels is not None:
        probabilities = np.round(probabilities * levels) / levels
    return probabilities, (generator.random(count) < probabilities).astype(np.float32)


@pytest.mark.parametrize("levels", [None, 3, 1])
def test_the_area_below_the_points_is_that_of_the_metric(levels):
    probabilities, labels = rows(levels=levels)
    across, up = np.array(roc_points(probabilities, labels)).T
    assert (across[0], up[0], across[-1], up[-1]) == (0, 0, 1, 1)
    assert (np.diff(across) >= 0).all()
    assert (np.diff(up) >= 0).all()
    assert len(up) <= MOST_POINTS
    area = float(((up[1:] + up[:-1]) / 2 * np.diff(across)).sum())
    assert area == pytest.approx(area_under_curve(probabilities, labels), abs=2e-3)


def test_each_point_counts_the_rows_above_a_threshold():
    probabilities, labels = rows(count=50)
    pairs = {
        (float((probabilities[labels == 0] >= one).mean()), float((probabilities[labels == 1] >= one).mean()))
        for one in [*probabilities, 2.0]
    }
    assert set(roc_points(probabilities, labels)) == pairs


def test_reliable_probabilities_lie_on_the_diagonal_and_few_rows_make_no_point():
    probabilities, labels = rows(count=60_000)
    points = reliability_points(probabilities, labels)
    assert len(points) == 15
    assert all(abs(expected - found) < 0.03 for expected, found in points)
    assert reliability_points(probabilities**2, labels)[1][1] > 0.2, "others do not"
    few = np.full(LEAST_ROWS - 1, 0.5)
    assert reliability_points(few, np.ones_like(few)) == ()
    assert reliability_points(np.append(few, 0.5), np.ones(LEAST_ROWS)) == ((0.5, 1.0),)
