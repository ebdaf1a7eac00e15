"""The distance correlation equals its definition, and its gradient the differences of its values."""

import numpy as np
import pytest
import tensorflow as tf

from party.models.distance_correlation import distance_correlation

ROWS, COLUMNS = 40, 5


def points(rows=ROWS, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, COLUMNS))


def groups(rows=ROWS, seed=1, sizes=(2, 5)):
    generator = np.random.default_rng(seed)
    return np.stack([generator.integers(0, size, rows) for size in sizes], axis=1).astype(np.int32)


def measured(hiddens, codes):
    return float(distance_correlation(tf.constant(hiddens), tf.constant(codes)))


def defined(hiddens, codes):
    """Definitions 4 and 5 of Székely, Rizzo and Bakirov, with one-hot codes written out and loops over rows."""
    one_hot = np.concatenate([np.eye(codes[:, place].max() + 1)[codes[:, place]] for place in range(codes.shape[1])], 1)

    def centred(matrix):
        distances = np.array([[np.linalg.norm(one - other) for other in matrix] for one in matrix])
        return distances - distances.mean(0)[None, :] - distances.mean(1)[:, None] + distances.mean()

    one, other = centred(hiddens), centred(one_hot)
    covariance, variances = (one * other).mean(), (one * one).mean() * (other * other).mean()
    return np.sqrt(covariance / np.sqrt(variances)) if variances > 0 else 0.0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 2e-5)])
def test_it_equals_its_definition(seed, dtype, tolerance):
    codes = groups(seed=seed + 10)
    hiddens = points(seed=seed) + seed * codes[:, :1]
    assert measured(hiddens.astype(dtype), codes) == pytest.approx(defined(hiddens, codes), abs=tolerance)


def test_rows_of_one_entity_have_equal_hiddens():
    hiddens, codes = np.repeat(points(8), 5, axis=0), np.repeat(groups(8), 5, axis=0)
    for dtype, tolerance in ((np.float64, 1e-9), (np.float32, 2e-5)):
        assert measured(hiddens.astype(dtype), codes) == pytest.approx(defined(hiddens, codes), abs=tolerance)


def test_it_is_one_for_codes_themselves_and_does_not_change_with_scale_shift_and_rotation():
    codes = groups(sizes=(3,))
    one_hot = np.eye(3)[codes[:, 0]]
    assert measured(one_hot, codes) == pytest.approx(1.0, abs=1e-9)
    rotation = np.linalg.qr(points(COLUMNS, seed=7))[0]
    hiddens = points() + codes
    moved = 1e3 + 250.0 * hiddens @ rotation
    assert measured(moved, codes) == pytest.approx(measured(hiddens, codes), abs=1e-9)


def test_it_is_zero_without_any_variation():
    assert measured(np.ones((ROWS, COLUMNS), np.float32), groups()) == 0.0
    assert measured(points().astype(np.float32), np.zeros((ROWS, 1), np.int32)) == 0.0


@pytest.mark.parametrize("repeats", [1, 2])
def test_its_gradient_is_the_difference_of_its_values(repeats):
    hiddens = np.repeat(points(12), repeats, axis=0)
    codes = np.repeat(groups(12), repeats, axis=0)
    variable = tf.constant(hiddens)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = distance_correlation(variable, tf.constant(codes))
    gradient = tape.gradient(value, variable).numpy()
    # Rows of one entity move together: apart, equal rows have a kink.
    step = 1e-6
    for entity in range(0, 12, 3):
        for column in range(COLUMNS):
            moved = np.zeros_like(hiddens)
            moved[entity * repeats : (entity + 1) * repeats, column] = step
            difference = (defined(hiddens + moved, codes) - defined(hiddens - moved, codes)) / (2 * step)
            own = gradient[entity * repeats : (entity + 1) * repeats, column].sum()
            assert own == pytest.approx(difference, rel=1e-5, abs=1e-8)


def test_its_gradient_is_finite_where_it_has_none():
    for hiddens in (np.ones((6, 2), np.float32), np.zeros((6, 2), np.float32)):
        variable = tf.constant(hiddens)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            value = distance_correlation(variable, tf.constant(groups(6)))
        assert np.array_equal(tape.gradient(value, variable).numpy(), np.zeros((6, 2)))
