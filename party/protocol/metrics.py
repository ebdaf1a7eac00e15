"""Metrics of the rows of a pass, and when the coordinator may be told of them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from party.protocol.state import State

FloatArray = npt.NDArray[np.float32]
Score = Callable[[FloatArray, FloatArray], Mapping[str, float]]
LOSS = "loss"
RUNNING_ROWS = 20_000  # latest rows behind the running AUC: enough to steady it, quick to sort


@dataclass(frozen=True)
class PassMetrics:
    """What some rows came to.

    Attributes:
        rows: how many.
        values: by name, as a history has them: the loss, means of measures, metrics; NaN where undefined.
    """

    rows: int
    values: Mapping[str, float]

    def to_values(self) -> dict[str, object]:
        """As JSON can hold it."""
        return {"rows": self.rows, "values": {name: float(value) for name, value in self.values.items()}}


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


class MetricAccumulator:
    """Outputs and losses of the batches of one pass, each row weighing the same.

    Args:
        rows: of the whole pass.
        outputs: width of the outputs.
        labels: how many labels a row has.
        score: metrics by name of float32 (rows, outputs) and (rows, labels).
    """

    def __init__(self, rows: int, outputs: int, labels: int, score: Score) -> None:
        self.outputs = np.empty((rows, outputs), np.float32)
        self._labels = np.empty((rows, labels), np.float32)
        self._score = score
        self._filled = 0
        self._sums: dict[str, float] = {}
        self._released: tuple[int, dict[str, float]] = (0, {})

    def add(self, outputs: FloatArray, labels: FloatArray, mean_loss: float, measures: Mapping[str, float]) -> None:
        """Adds a batch: float32 (batch, outputs) and (batch, labels), its mean loss and further means."""
        end = self._filled + len(outputs)
        self.outputs[self._filled : end] = outputs
        self._labels[self._filled : end] = labels
        self._filled = end
        for name, mean in {LOSS: mean_loss, **measures}.items():
            self._sums[name] = self._sums.get(name, 0.0) + mean * len(outputs)

    def metrics(self) -> PassMetrics:
        """The metrics of all rows so far."""
        return self._over(slice(0, self._filled), self._filled, self._sums)

    def release(self) -> None:
        """Lets `running` cover all rows so far."""
        self._released = (self._filled, dict(self._sums))

    def running(self, minimum_rows: int) -> PassMetrics | None:
        """The metrics of the released rows: means of all, the rest of the latest; None where they are too few."""
        end, sums = self._released
        if end < minimum_rows:
            return None
        return self._over(slice(max(0, end - RUNNING_ROWS), end), end, sums)

    def state(self) -> State:
        """All rows so far."""
        released_rows, released_sums = self._released
        return State(
            {"sums": dict(self._sums), "released_rows": released_rows, "released_sums": dict(released_sums)},
            {"outputs": self.outputs[: self._filled].copy(), "labels": self._labels[: self._filled].copy()},
        )

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same pass."""
        outputs = state.arrays["outputs"]
        self._filled = len(outputs)
        self.outputs[: self._filled] = outputs
        self._labels[: self._filled] = state.arrays["labels"]
        self._sums = dict(state.values["sums"])
        self._released = (int(state.values["released_rows"]), dict(state.values["released_sums"]))

    def _over(self, rows: slice, count: int, sums: Mapping[str, float]) -> PassMetrics:
        means = {name: total / max(1, count) for name, total in sums.items()}
        return PassMetrics(rows.stop - rows.start, {**means, **self._score(self.outputs[rows], self._labels[rows])})


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
        # Three numbers for every step of a run: as objects they would take ten times the memory.
        self._steps, self._covered, self._losses = array("q"), array("q"), array("d")

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
            self._steps.append(step)
            self._covered.append(self._rows)
            self._losses.append(self._loss_sum / self._rows)
            self._rows, self._loss_sum = 0, 0.0

    def since(self, count: int) -> Sequence[StepLoss]:
        """Releases after the first `count`."""
        end = len(self._losses)  # the last that is added to: another thread may be at it
        columns = (column[count:end] for column in (self._steps, self._covered, self._losses))
        released = zip(*columns, strict=True)
        return [StepLoss(step, rows, loss) for step, rows, loss in released]

    @property
    def held_back_rows(self) -> int:
        """Rows that no release covers yet."""
        return self._rows

    def state(self) -> State:
        """What is released and what is held back."""
        return State(
            {"rows": self._rows, "loss_sum": self._loss_sum},
            {
                "steps": np.array(self._steps, np.int64),
                "covered": np.array(self._covered, np.int64),
                "losses": np.array(self._losses, np.float64),
            },
        )

    def set_state(self, state: State) -> None:
        """Goes on from a state."""
        self._rows, self._loss_sum = int(state.values["rows"]), float(state.values["loss_sum"])
        self._steps = array("q", state.arrays["steps"].tolist())
        self._covered = array("q", state.arrays["covered"].tolist())
        self._losses = array("d", state.arrays["losses"].tolist())
