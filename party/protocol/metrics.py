"""Metrics of binary classification, and when the coordinator may be told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
RUNNING_ROWS = 20_000  # latest rows behind the running AUC: enough to steady it, quick to sort


@dataclass(frozen=True)
class ClassificationMetrics:
    """Metrics over some rows; AUC is NaN where one class is absent."""

    rows: int
    loss: float
    auc: float
    precision: float
    recall: float


@dataclass(frozen=True)
class StepLoss:
    """The mean loss of the rows since the last release, up to and with `step`."""

    step: int
    rows: int
    loss: float


def area_under_curve(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.floating]) -> float:
    """Area under the ROC curve, ties counted half.

    Args:
        scores: float (rows,), any monotone function of the probability.
        labels: float (rows,), 0 or 1.

    Returns:
        The area; NaN where one class is absent.

    Reference:
        Hanley and McNeil 1982: the Mann-Whitney statistic over its maximum.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last_rank = np.cumsum(counts)
    mean_rank = last_rank - (counts - 1) / 2
    rank_sum = float(mean_rank[inverse][labels > 0].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def classification_metrics(logits: FloatArray, labels: FloatArray, loss: float) -> ClassificationMetrics:
    """All metrics of some rows.

    Args:
        logits: float32 (rows,).
        labels: float32 (rows,), 0 or 1.
        loss: mean loss of the rows.

    Returns:
        The metrics, precision and recall at a probability of one half; 0 where undefined.
    """
    predicted = logits > 0
    true_positives = int((predicted & (labels > 0)).sum())
    return ClassificationMetrics(
        rows=len(labels),
        loss=loss,
        auc=area_under_curve(logits, labels),
        precision=true_positives / max(1, int(predicted.sum())),
        recall=true_positives / max(1, int(labels.sum())),
    )


class MetricAccumulator:
    """Logits and losses of the batches of one pass, each row weighing the same.

    Args:
        rows: of the whole pass.
    """

    def __init__(self, rows: int) -> None:
        self.logits = np.empty(rows, np.float32)
        self.labels = np.empty(rows, np.float32)
        self._filled = 0
        self._loss_sum = 0.0
        self._released = (0, 0.0)

    def add(self, logits: FloatArray, labels: FloatArray, mean_loss: float) -> None:
        """Adds a batch: float32 (batch,) each, and its mean loss."""
        end = self._filled + len(logits)
        self.logits[self._filled : end] = logits
        self.labels[self._filled : end] = labels
        self._filled = end
        self._loss_sum += mean_loss * len(logits)

    def metrics(self) -> ClassificationMetrics:
        """The metrics of all rows so far."""
        logits, labels = self.logits[: self._filled], self.labels[: self._filled]
        return classification_metrics(logits, labels, self._loss_sum / max(1, self._filled))

    def release(self) -> None:
        """Lets `running` cover all rows so far."""
        self._released = (self._filled, self._loss_sum)

    def running(self, minimum_rows: int) -> ClassificationMetrics | None:
        """The metrics of the released rows: the loss of all, the rest of the latest; None where they are too few."""
        end, loss_sum = self._released
        if end < minimum_rows:
            return None
        rows = slice(max(0, end - RUNNING_ROWS), end)
        return classification_metrics(self.logits[rows], self.labels[rows], loss_sum / max(1, end))


class StepLossRelease:
    """Step losses, held back until each release covers enough rows.

    Rows that would be left over at the end of an epoch are joined to the
    release before them, so that no difference of two releases covers fewer.

    Args:
        minimum_rows: fewest rows behind one release.
    """

    def __init__(self, minimum_rows: int) -> None:
        self._minimum_rows = minimum_rows
        self._rows = 0
        self._loss_sum = 0.0
        self._released: list[StepLoss] = []

    def add(self, step: int, rows: int, mean_loss: float, rows_left: int) -> None:
        """Adds a step.

        Args:
            step: of the run.
            rows: of its batch.
            mean_loss: of its batch.
            rows_left: in the epoch after it.
        """
        self._rows += rows
        self._loss_sum += mean_loss * rows
        if self._rows >= self._minimum_rows and (rows_left == 0 or rows_left >= self._minimum_rows):
            self._released.append(StepLoss(step, self._rows, self._loss_sum / self._rows))
            self._rows, self._loss_sum = 0, 0.0

    def since(self, count: int) -> Sequence[StepLoss]:
        """Releases after the first `count`."""
        return self._released[count:]

    @property
    def held_back_rows(self) -> int:
        """Rows that no release covers yet."""
        return self._rows
