"""Scores of rows, batch by batch, and summed over everything that was received of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from party.audit.attacks.attack_result import area_error
from party.audit.own_columns import Floats, Ints
from party.audit.received import Received
from party.audit.received_batch import ReceivedBatch
from party.metrics.area_under_curve import area_under_curve

BatchScorer = Callable[[ReceivedBatch], Floats | None]
TINY = 1e-30


class RowScores:
    """Sums the scores of each row, and judges them by the truth.

    Args:
        truth: 0 or 1 by row of the common order, int64 (rows,).
        excluded: rows whose truth the attacker knows; they are not judged.
    """

    def __init__(self, truth: Ints, excluded: Ints | None = None) -> None:
        self._truth = truth.astype(np.float64)
        self._sums = np.zeros(len(truth))
        self._judged = np.ones(len(truth), np.bool_)
        if excluded is not None:
            self._judged[excluded] = False
        self._seen = np.zeros(len(truth), np.bool_)
        self._areas: list[float] = []

    def add(self, rows: Ints, scores: Floats) -> None:
        """Adds the scores of a batch.

        Args:
            rows: row numbers of the common order, int (rows,).
            scores: float64 (rows,), of about equal size in every batch.
        """
        self._sums[rows] += scores
        self._seen[rows] = True
        judged = self._judged[rows]
        area = area_under_curve(scores[judged], self._truth[rows][judged])
        if not np.isnan(area):
            self._areas.append(area)

    def flip(self) -> None:
        """Takes one side for the other."""
        self._sums = -self._sums
        self._areas = [1.0 - area for area in self._areas]

    def flip_unless_rarer_is_positive(self, positive_is_rarer: bool) -> None:
        """Orients scores whose sign separates the classes, by which of the two is rarer.

        Args:
            positive_is_rarer: whether the positive class is the rarer one.
        """
        above = float((self._sums[self._seen] > 0).mean()) if self._seen.any() else 0.0
        if (above < 0.5) != positive_is_rarer:  # noqa: PLR2004
            self.flip()

    @property
    def sums(self) -> Floats:
        """Sum of the scores of each row, float64 (rows,); 0 for a row that no batch had."""
        return self._sums

    @property
    def seen(self) -> Ints:
        """Rows that a batch had, ascending."""
        return np.flatnonzero(self._seen)

    @property
    def judged(self) -> Ints:
        """Rows that a batch had and that the attacker does not know, ascending."""
        return np.flatnonzero(self._seen & self._judged)

    @property
    def one_step(self) -> float | None:
        """Mean area within a batch; None if none had both classes."""
        return float(np.mean(self._areas)) if self._areas else None

    @property
    def all_epochs(self) -> float:
        """Area of the sums."""
        return area_under_curve(self._sums[self.judged], self._truth[self.judged])

    @property
    def standard_error(self) -> float:
        """Standard error of `all_epochs`."""
        positives = int(self._truth[self.judged].sum())
        return area_error(self.all_epochs, positives, len(self.judged) - positives)


def tally(received: Received, score: BatchScorer, truth: Ints) -> RowScores:
    """Scores every batch of training.

    Args:
        received: what was received.
        score: returns the scores of a batch, float64 (rows,); None to leave it out. Batches come in their order.
        truth: 0 or 1 by row of the common order, int64 (rows,).
    """
    scores = RowScores(truth)
    for batch in training_batches(received):
        found = score(batch)
        if found is not None:
            scores.add(batch.rows.astype(np.int64), found)
    return scores


def training_batches(received: Received) -> Iterator[ReceivedBatch]:
    """The batches of training, in their order."""
    return (batch for batch in received.batches() if batch.trains)


def relative_norms(values: Floats) -> Floats:
    """Norm of each row over their root mean square, float64 (rows,)."""
    squares = (values**2).sum(axis=1)
    norms: Floats = np.sqrt(squares / (squares.mean() + TINY))
    return norms


def relative(scores: Floats) -> Floats:
    """Scores over their root mean square, so that every batch counts alike, float64 (rows,)."""
    scaled: Floats = scores / (np.sqrt((scores**2).mean()) + TINY)
    return scaled
