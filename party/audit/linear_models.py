"""Small linear models for attackers: ridge regression, and logistic regression on sparse columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from party.audit.own_columns import Floats, Ints, OwnColumns

ITERATIONS = 150  # of the accelerated gradient method: enough for an order of rows, which is all that an attacker needs
SLOPE_BOUND = 0.25  # of the logistic function
LEAST_DEVIATION = 1e-9
PENALTY = 1.0  # on the squared weights of standardised or one-hot columns, in units of one row


@dataclass(frozen=True, eq=False)
class RidgeModel:
    """A linear score of standardised columns.

    Attributes:
        means: float64 (columns,).
        weights: float64 (columns,), divided by the columns' deviations.
    """

    means: Floats
    weights: Floats

    def scores(self, values: Floats) -> Floats:
        """Scores of rows, float64 (rows,).

        Args:
            values: float (rows, columns).
        """
        return (values - self.means) @ self.weights


def fit_ridge(values: Floats, targets: Floats, penalty: float) -> RidgeModel:
    """Fits a linear score by least squares.

    Args:
        values: float (rows, columns), at least one row.
        targets: float (rows,).
        penalty: on the squared weights of standardised columns, in units of one row.
    """
    values = values.astype(np.float64)
    means = values.mean(axis=0)
    deviations = values.std(axis=0)
    scaled = (values - means) / np.maximum(deviations, LEAST_DEVIATION)
    gram = scaled.T @ scaled + penalty * np.eye(scaled.shape[1])
    weights = np.linalg.solve(gram, scaled.T @ (targets - targets.mean()))
    # A column that is constant here says nothing, however much it varies elsewhere.
    usable = deviations > LEAST_DEVIATION
    return RidgeModel(means, np.where(usable, weights / np.maximum(deviations, LEAST_DEVIATION), 0.0))


@dataclass(frozen=True, eq=False)
class LogisticModel:
    """Log odds from own columns.

    Attributes:
        weights: float64 (columns,).
        constant: the log odds of a row without any column.
    """

    weights: Floats
    constant: float

    def log_odds(self, columns: OwnColumns) -> Floats:
        """Log odds of rows, float64 (rows,)."""
        return columns.times(self.weights) + self.constant


def fit_logistic(columns: OwnColumns, targets: Floats, penalty: float = PENALTY) -> LogisticModel:
    """Fits logistic regression by an accelerated gradient method.

    Args:
        columns: columns of the known rows, at least one row.
        targets: their labels, 0 or 1, or probabilities; float64 (rows,).
        penalty: on the squared weights, in units of one row.

    Reference:
        Nesterov 2004, "Introductory Lectures on Convex Optimization", section 2.2.
    """
    # Scaled by these sums, no eigenvalue of the Gram matrix exceeds one: rare columns are fitted as fast as others.
    sizes = np.abs(columns.values).sum(axis=1) + 1.0
    magnitudes = OwnColumns(columns.indices, np.abs(columns.values), columns.size)
    steps = 1.0 / (SLOPE_BOUND * np.append(magnitudes.transposed_times(sizes), sizes.sum()) + penalty)
    weights = ahead = np.zeros(columns.size + 1)
    for number in range(ITERATIONS):
        errors = sigmoid(columns.times(ahead[:-1]) + ahead[-1]) - targets
        slope = np.append(columns.transposed_times(errors) + penalty * ahead[:-1], errors.sum())
        following = ahead - steps * slope
        ahead = following + number / (number + 3) * (following - weights)
        weights = following
    return LogisticModel(weights[:-1], float(weights[-1]))


def cross_fitted_log_odds(columns: OwnColumns, targets: Floats, rows: Ints) -> Floats:
    """Log odds of every row from a model that was fitted on the other half of the rows.

    Args:
        columns: columns of all rows.
        targets: labels of all rows, 0 or 1, float64 (rows,).
        rows: rows to use, int64.

    Returns:
        float64 (chosen rows,), in their order.
    """
    halves = np.arange(len(rows)) % 2
    log_odds = np.zeros(len(rows))
    for half in (0, 1):
        fitted, judged = rows[halves != half], halves == half
        model = fit_logistic(columns.take(fitted), targets[fitted])
        log_odds[judged] = model.log_odds(columns.take(rows[judged]))
    return log_odds


def sigmoid(values: Floats) -> Floats:
    """The logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))
