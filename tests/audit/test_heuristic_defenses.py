"""The protections of other systems, as their papers define them: figures on them would mean nothing otherwise."""

import numpy as np
import pytest

from tests.support.heuristic_defenses import MARVELL_POWER, NOISE, gaussian, marvell, max_norm

ROWS, COLUMNS, DRAWS = 60, 8, 600


@pytest.fixture(scope="module")
def labels():
    return (np.arange(ROWS) < 20).astype(int)


@pytest.fixture(scope="module")
def gradients(labels):
    generator = np.random.default_rng(0)
    return generator.normal(size=(ROWS, COLUMNS)) + 2.0 * labels[:, None]


def noise_of(defense, gradients, labels):
    """Noise of many draws, (draws, rows, columns)."""
    return np.stack([defense(gradients, labels, np.random.default_rng(seed)) - gradients for seed in range(DRAWS)])


def test_max_norm_gives_every_row_the_largest_norm_in_expectation(gradients, labels):
    squares = ((noise_of(max_norm, gradients, labels) + gradients) ** 2).sum(axis=2).mean(axis=0)
    np.testing.assert_allclose(squares, np.full(ROWS, (gradients**2).sum(axis=1).max()), rtol=0.35)
    assert squares.mean() == pytest.approx((gradients**2).sum(axis=1).max(), rel=0.05)


def test_marvell_spends_its_power_and_hides_the_difference_more_than_anything_else(gradients, labels):
    noise = noise_of(marvell, gradients, labels)
    power = (noise**2).sum(axis=2).mean()
    difference = gradients[labels == 1].mean(axis=0) - gradients[labels == 0].mean(axis=0)
    assert power == pytest.approx(MARVELL_POWER * (difference @ difference), rel=0.05)
    unit = difference / np.linalg.norm(difference)
    along = ((noise @ unit) ** 2).mean()
    assert along > 3 * (power - along) / (COLUMNS - 1)


def test_gaussian_noise_is_as_large_in_every_column(gradients, labels):
    deviations = noise_of(gaussian, gradients, labels).std(axis=0)
    bound = np.median(np.linalg.norm(gradients, axis=1))
    np.testing.assert_allclose(deviations, np.full((ROWS, COLUMNS), NOISE * bound), rtol=0.15)
