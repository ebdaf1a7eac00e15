"""Figures on drawn labels: their bias and their standard error, over many draws of the same rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from party.metrics.area_under_curve import area_under_curve
from party.metrics.corrected_figures import UNKNOWN, DrawnClasses, EstimatedFigure, corrected_accuracy
from party.privacy.replacement import replacement_probability
from party.privacy.symbol_draws import SymbolDraws

REPETITIONS = 400
SPREAD = 4.5 / math.sqrt(2 * REPETITIONS)  # of a deviation over so many repetitions, relative
BIAS = 4.5 / math.sqrt(REPETITIONS)  # of a mean over them, in deviations

Estimate = Callable[[np.ndarray, float], EstimatedFigure]


def _scored(rows: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """True labels, a share of them positive, and scores with an AUC of about 0.8, many of them tied."""
    truth = (np.arange(rows) < round(rows * share)).astype(np.float32)
    scores = np.random.default_rng(1).normal(truth * 1.2, 1.0)
    return truth, np.round(scores, 1).astype(np.float32)


def _drawn(truth: np.ndarray, replacement: float, classes: int, generator: np.random.Generator) -> np.ndarray:
    """Keeps a label, or replaces it by a uniform class: the mechanism's definition."""
    replaced = generator.random(len(truth)) < replacement
    return np.where(replaced, generator.integers(0, classes, len(truth)), truth).astype(np.float32)


def _require(truth: np.ndarray, epsilon: float, estimate: Estimate, true: float, *, classes: int = 2) -> None:
    """Mean and deviation of the estimates are the true figure and the stated errors."""
    replacement, generator = replacement_probability(epsilon, classes), np.random.default_rng(2)
    figures = []
    for _ in range(REPETITIONS):
        figure = estimate(_drawn(truth, replacement, classes, generator), replacement)
        figures.append((figure.value, figure.error))
    values, errors = np.array(figures).T
    assert abs(values.mean() - true) < BIAS * values.std()
    assert errors.mean() == pytest.approx(values.std(), rel=SPREAD)


CASES = [(0.5, 4000, 0.5), (1.0, 1000, 0.5), (2.0, 1000, 0.3), (2.0, 30_000, 0.04), (1.0, 100_000, 0.04)]


@pytest.mark.parametrize(("epsilon", "rows", "share"), CASES)
def test_area_is_that_of_true_labels_within_its_error(epsilon: float, rows: int, share: float) -> None:
    truth, scores = _scored(rows, share)
    true = area_under_curve(scores, truth)
    _require(truth, epsilon, lambda drawn, w: DrawnClasses(drawn, w).area(scores), true)


@pytest.mark.parametrize(("epsilon", "rows", "share"), CASES[:4])
def test_precision_recall_and_share_are_those_of_true_labels(epsilon: float, rows: int, share: float) -> None:
    truth, scores = _scored(rows, share)
    predicted = scores > 0.6
    _require(truth, epsilon, lambda drawn, w: DrawnClasses(drawn, w).share(), float(truth.mean()))
    precision = float(truth[predicted].mean())
    _require(truth, epsilon, lambda drawn, w: DrawnClasses(drawn, w).precision(predicted), precision)
    recall = float(predicted[truth > 0].mean())
    _require(truth, epsilon, lambda drawn, w: DrawnClasses(drawn, w).recall(predicted), recall)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("classes", "accepted"), [(2, 1), (5, 1), (20, 3)])
def test_accuracy_is_that_of_true_labels_within_its_error(epsilon: float, classes: int, accepted: int) -> None:
    generator = np.random.default_rng(3)
    truth = generator.integers(0, classes, 3000)
    first = np.where(generator.random(3000) < 0.6, truth, generator.integers(0, classes, 3000))

    def is_hit(labels: np.ndarray) -> np.ndarray:
        """The model accepts so many neighbouring classes."""
        return np.asarray((labels - first) % classes < accepted)

    def estimate(drawn: np.ndarray, replacement: float) -> EstimatedFigure:
        return corrected_accuracy(float(is_hit(drawn).mean()), accepted / classes, replacement, len(drawn))

    _require(truth, epsilon, estimate, float(is_hit(truth).mean()), classes=classes)


def test_area_is_the_closed_form_of_shares() -> None:
    truth, scores = _scored(2000, 0.4)
    replacement = replacement_probability(1.0, 2)
    drawn = SymbolDraws(bytes(32), 1, "y").draw([str(row) for row in range(2000)], truth.astype(np.int64), 2, 1.0)
    flip, seen = replacement / 2, float(drawn.mean())
    share = (seen - flip) / (1 - 2 * flip)
    factor = seen * (1 - seen) / ((1 - 2 * flip) * share * (1 - share))
    figure = DrawnClasses(drawn.astype(np.float64), replacement).area(scores)
    assert figure.value == pytest.approx(0.5 + (area_under_curve(scores, drawn) - 0.5) * factor)
    assert abs(figure.value - area_under_curve(scores, truth)) < 4.5 * figure.error


def test_errors_are_those_of_the_design() -> None:
    """At ε = 1: ±.015 on 4,900 rows of which half are positive, and ±.08 on 16,000 of which 4 % are."""
    replacement, generator = replacement_probability(1.0, 2), np.random.default_rng(4)
    for rows, share, expected in ((4900, 0.55, 0.015), (16_000, 0.04, 0.08)):
        truth, scores = _scored(rows, share)
        figure = DrawnClasses(_drawn(truth, replacement, 2, generator), replacement).area(scores)
        assert figure.error == pytest.approx(expected, rel=0.2)


def test_quotients_of_too_few_known_rows_are_not_estimated() -> None:
    replacement, generator = replacement_probability(0.5, 2), np.random.default_rng(5)
    rare, scores = _scored(2000, 0.01)
    for truth in (rare, 1 - rare):
        drawn = DrawnClasses(_drawn(truth.astype(np.float32), replacement, 2, generator), replacement)
        assert drawn.area(scores) == UNKNOWN
    drawn = DrawnClasses(_drawn(rare, replacement, 2, generator), replacement)
    assert drawn.recall(scores > 0) == UNKNOWN
    assert drawn.precision(scores > scores.max()) == UNKNOWN


def test_scores_that_are_all_equal_have_the_area_of_a_guess_and_hardly_an_error() -> None:
    truth, _ = _scored(1000, 0.5)
    figure = DrawnClasses(truth, 0.5).area(np.zeros(1000, np.float32))
    assert figure == EstimatedFigure(0.5, 0.0)
