"""Figures on true labels, estimated from labels that were drawn at random, each with its standard error.

A drawn label is the true one with probability 1 − w and one of K classes, all equally likely, otherwise. The rows and
what a model says about them are taken as given: a standard error states how far the draws alone move an estimate away
from the same figure on the true labels of the same rows. An estimate has no bias, apart from that of a quotient, if
the model does not depend on the draws of these rows: on rows that it was not trained on.

Estimates are not clipped to the range of the figure, which would give them a bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from party.metrics.area_under_curve import area_under_curve

FloatsOfRows = npt.NDArray[np.floating]
BoolsOfRows = npt.NDArray[np.bool_]

LEAST_CERTAINTY = 3.0  # standard errors by which a divisor must differ from 0: a quotient has no useful error otherwise


@dataclass(frozen=True)
class EstimatedFigure:
    """An estimate of a figure on true labels.

    Attributes:
        value: the estimate; it may lie outside of the range of the figure. NaN where the draws say too little.
        error: its standard error.
    """

    value: float
    error: float


UNKNOWN = EstimatedFigure(math.nan, math.nan)


class DrawnClasses:
    """Drawn labels of two classes.

    Args:
        drawn: drawn labels of the rows, 0 or 1, at least one row, float (rows,).
        replacement: probability w with which a uniform class replaced the true one, below 1.

    Reference:
        Menon et al., "Learning from Corrupted Binary Labels via Class-Probability Estimation", ICML 2015, section 3.
    """

    def __init__(self, drawn: FloatsOfRows, replacement: float) -> None:
        self._drawn = drawn
        self._kept = 1.0 - replacement
        self._flip = replacement / 2.0
        self._rows = len(drawn)
        # Of (drawn − q) / (1 − w), whose expectation is the true label: q (1 − q) / (1 − w)², whichever that is.
        self._variance = self._flip * (1.0 - self._flip) / self._kept**2

    def share(self) -> EstimatedFigure:
        """The share of positive rows: (π̃ − q) / (1 − 2q) with q = w / 2."""
        value = (float(self._drawn.mean(dtype=np.float64)) - self._flip) / self._kept
        return EstimatedFigure(value, math.sqrt(self._variance / self._rows))

    def area(self, scores: FloatsOfRows) -> EstimatedFigure:
        """The area under the ROC curve, ½ + (ÃUC − ½) π̃ (1 − π̃) / ((1 − 2q) π (1 − π)).

        Its variance follows from its derivative by each drawn label: v / (n π² (1 − π)²) times
        Var(R) + (AUC − ½)² (1 − 2π)², where v is the variance of one label's estimate and R are the ranks of the
        scores over n.

        Args:
            scores: any monotone function of the probability, float (rows,).

        Returns:
            The estimate; unknown with too few rows of one class.
        """
        positive, drawn_share = self.share(), float(self._drawn.mean(dtype=np.float64))
        if not self._is_certain(positive.value) or not self._is_certain(1.0 - positive.value):
            return UNKNOWN
        spread = positive.value * (1.0 - positive.value)
        above = area_under_curve(scores, self._drawn) - 0.5
        above *= drawn_share * (1.0 - drawn_share) / (self._kept * spread)
        moments = _rank_variance(scores) + (above * (1.0 - 2.0 * positive.value)) ** 2
        return EstimatedFigure(0.5 + above, math.sqrt(self._variance * moments / self._rows) / spread)

    def precision(self, predicted: BoolsOfRows) -> EstimatedFigure:
        """The share of positive rows among those that are predicted to be.

        Args:
            predicted: whether each row is predicted to be positive, bool (rows,).

        Returns:
            The estimate; unknown if none is.
        """
        count = int(predicted.sum())
        if not count:
            return UNKNOWN
        value = (float(self._drawn[predicted].mean(dtype=np.float64)) - self._flip) / self._kept
        return EstimatedFigure(value, math.sqrt(self._variance / count))

    def recall(self, predicted: BoolsOfRows) -> EstimatedFigure:
        """The share of rows that are predicted to be positive among those that are.

        Args:
            predicted: whether each row is predicted to be positive, bool (rows,).

        Returns:
            The estimate; unknown with too few positive rows.
        """
        positive = self.share().value
        if not self._is_certain(positive):
            return UNKNOWN
        found = (self._drawn[predicted].sum(dtype=np.float64) - self._flip * predicted.sum()) / self._kept
        value = float(found) / (self._rows * positive)
        moment = float(((predicted - value) ** 2).mean(dtype=np.float64))
        return EstimatedFigure(value, math.sqrt(self._variance * moment / self._rows) / positive)

    def f1(self, predicted: BoolsOfRows) -> EstimatedFigure:
        """F1 = 2 T / (A + P): of A rows predicted to be positive and P that are, T are both.

        Its derivative by the estimate of one label is (2 − F1) / (A + P) where the row is predicted to be positive, and
        −F1 / (A + P) elsewhere.

        Args:
            predicted: whether each row is predicted to be positive, bool (rows,).

        Returns:
            The estimate; unknown with too few positive rows.
        """
        positive = self.share().value
        if not self._is_certain(positive):
            return UNKNOWN
        found = (float(self._drawn[predicted].sum(dtype=np.float64)) - self._flip * int(predicted.sum())) / self._kept
        both = float(predicted.sum()) + self._rows * positive
        value = 2.0 * found / both
        moment = float(((2.0 * predicted - value) ** 2).sum(dtype=np.float64))
        return EstimatedFigure(value, math.sqrt(self._variance * moment) / both)

    def calibration(self, probabilities: FloatsOfRows) -> EstimatedFigure:
        """The sum of the probabilities of the positive class over the number of positive rows.

        Args:
            probabilities: float (rows,).

        Returns:
            The estimate; unknown with too few positive rows.
        """
        positive = self.share()
        if not self._is_certain(positive.value):
            return UNKNOWN
        value = float(probabilities.mean(dtype=np.float64)) / positive.value
        return EstimatedFigure(value, value * positive.error / positive.value)

    def _is_certain(self, share: float) -> bool:
        return share >= LEAST_CERTAINTY * self.share().error


def corrected_accuracy(hits: float, chance: float, replacement: float, rows: int) -> EstimatedFigure:
    """The share of rows whose true label is among the classes that a model accepts for it.

    Args:
        hits: share of rows whose drawn label is.
        chance: share of all classes that the model accepts, on average over rows.
        replacement: probability w with which a uniform class replaced the true one, below 1.
        rows: number of rows.

    Returns:
        (hits − w · chance) / (1 − w).
    """
    kept, floor = 1.0 - replacement, replacement * chance
    value = (hits - floor) / kept
    right = min(1.0, max(0.0, value))
    variance = right * (kept + floor) * (1.0 - kept - floor) + (1.0 - right) * floor * (1.0 - floor)
    return EstimatedFigure(value, math.sqrt(max(0.0, variance) / rows) / kept)


def corrected_mean(by_class: npt.NDArray[np.float64], drawn: FloatsOfRows, replacement: float) -> EstimatedFigure:
    """The mean over rows of what each has for its true class, such as a loss.

    Args:
        by_class: what each row would have for each class, (rows, classes).
        drawn: number of each row's drawn class, float (rows,), at least one row.
        replacement: probability w with which a uniform class replaced the true one, below 1.

    Returns:
        The mean of (l − w m) / (1 − w), with l for the drawn class and m the mean over classes. What the draw adds to
        the variance of l, of mean square m₂ over classes, is without bias w l² + w (1 − w) m₂ − 2 w m l + w² m².
    """
    kept = 1.0 - replacement
    seen = by_class[np.arange(len(drawn)), drawn.astype(np.int64)]
    mean, square = by_class.mean(axis=1), (by_class**2).mean(axis=1)
    value = float((seen - replacement * mean).mean() / kept)
    variance = replacement * (seen**2 + kept * square - 2.0 * mean * seen + replacement * mean**2)
    return EstimatedFigure(value, math.sqrt(max(0.0, float(variance.sum()))) / (kept * len(drawn)))


def _rank_variance(scores: FloatsOfRows) -> float:
    """The variance of ranks over the number of rows, tied scores having their mean rank."""
    rows = len(scores)
    _, counts = np.unique(scores, return_counts=True)
    ties = float(((counts.astype(np.float64) ** 3 - counts) / 12.0).sum())
    return ((rows**2 - 1) / 12.0 - ties / rows) / rows**2
