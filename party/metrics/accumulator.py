"""Accumulates the metrics of a pass batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from party.cut.state import State
from party.metrics.groups import Groups
from party.metrics.pass_metrics import LOSS, PassMetrics
from party.metrics.released_metrics import Releaser, release_nothing

FloatArray = npt.NDArray[np.float32]
RUNNING_ROWS = 20_000  # latest rows behind the running AUC: enough to steady it, quick to sort


class Score(Protocol):
    """Computes metrics of rows."""

    def __call__(self, outputs: FloatArray, labels: FloatArray, *, groups: Groups | None = None) -> Mapping[str, float]:
        """Computes metrics by name.

        Args:
            outputs: float32 (rows, outputs).
            labels: float32 (rows, labels).
            groups: number of each row's group by column, int32 (rows, columns); None if no metric has groups.
        """


class MetricAccumulator:
    """Accumulates outputs and losses of the batches of one pass, with equal weight for each row that has all labels.

    Args:
        name: name of the pass, unique among those of its run whose figures a coordinator may see.
        rows: number of rows in the whole pass.
        outputs: width of the outputs.
        labels: number of labels of a row.
        score: computes metrics by name.
        releaser: computes the figures that a coordinator may see.
        group_columns: number of columns that make groups for metrics.
    """

    def __init__(
        self,
        name: str,
        rows: int,
        *,
        outputs: int,
        labels: int,
        score: Score,
        releaser: Releaser = release_nothing,
        group_columns: int = 0,
    ) -> None:
        self.name = name
        self.outputs = np.empty((rows, outputs), np.float32)
        self._labels = np.empty((rows, labels), np.float32)
        self._groups = np.empty((rows, group_columns), np.int32) if group_columns else None
        self._score = score
        self._releaser = releaser
        self._whole: tuple[int, PassMetrics] | None = None
        self._filled = 0
        self._sums: dict[str, float] = {}
        self._released: tuple[int, dict[str, float]] = (0, {})

    def add(
        self,
        outputs: FloatArray,
        labels: FloatArray,
        mean_loss: float,
        measures: Mapping[str, float],
        *,
        groups: Groups | None = None,
    ) -> None:
        """Adds a batch.

        Args:
            outputs: float32, shape (batch, outputs).
            labels: float32, shape (batch, labels); NaN where a row lacks a label.
            mean_loss: mean loss over the rows of the batch that have all labels.
            measures: further means over these rows, by name.
            groups: number of each row's group by column, int32 (batch, columns); None if no metric has groups.
        """
        end = self._filled + len(outputs)
        self.outputs[self._filled : end] = outputs
        self._labels[self._filled : end] = labels
        if self._groups is not None and groups is not None:
            self._groups[self._filled : end] = groups
        self._filled = end
        known = int(np.count_nonzero(_known(labels)))
        for name, mean in {LOSS: mean_loss, **measures}.items():
            # A mean over no row at all is NaN.
            self._sums[name] = self._sums.get(name, 0.0) + (mean * known if known else 0.0)

    def metrics(self) -> PassMetrics:
        """The metrics of all rows added so far, of those that have all labels."""
        if self._whole is None or self._whole[0] != self._filled:
            self._whole = (self._filled, self._over(slice(0, self._filled), self._filled, self._sums))
        return self._whole[1]

    def release(self) -> None:
        """Makes `running` cover all rows added so far."""
        self._released = (self._filled, dict(self._sums))

    def running(self, minimum_rows: int) -> PassMetrics | None:
        """The metrics of the released rows: means over all of them, scores over the latest RUNNING_ROWS.

        Args:
            minimum_rows: fewest rows that metrics may be computed over.

        Returns:
            The metrics; None if fewer rows are released.
        """
        end, sums = self._released
        if end < minimum_rows:
            return None
        return self._over(slice(max(0, end - RUNNING_ROWS), end), end, sums)

    def state(self) -> State:
        """All rows added so far."""
        released_rows, released_sums = self._released
        return State(
            {"sums": dict(self._sums), "released_rows": released_rows, "released_sums": dict(released_sums)},
            {
                "outputs": self.outputs[: self._filled].copy(),
                "labels": self._labels[: self._filled].copy(),
                **({} if self._groups is None else {"groups": self._groups[: self._filled].copy()}),
            },
        )

    def set_state(self, state: State) -> None:
        """Continues from a state of the same pass."""
        outputs = state.arrays["outputs"]
        self._filled = len(outputs)
        self.outputs[: self._filled] = outputs
        self._labels[: self._filled] = state.arrays["labels"]
        if self._groups is not None:
            self._groups[: self._filled] = state.arrays["groups"]
        self._sums = dict(state.values["sums"])
        self._released = (int(state.values["released_rows"]), dict(state.values["released_sums"]))

    def _over(self, rows: slice, count: int, sums: Mapping[str, float]) -> PassMetrics:
        outputs, labels = self.outputs[rows], self._labels[rows]
        groups = None if self._groups is None else self._groups[rows]
        known = _known(labels)
        if not known.all():
            outputs, labels = outputs[known], labels[known]
            groups = None if groups is None else groups[known]
            count = int(np.count_nonzero(_known(self._labels[:count])))
        means = {name: total / max(1, count) for name, total in sums.items()}
        values = {**means, **self._score(outputs, labels, groups=groups)}
        released = self._releaser(f"{self.name}, {count} rows", outputs, labels, values, groups=groups)
        return PassMetrics(len(outputs), values, released)


def _known(labels: FloatArray) -> npt.NDArray[np.bool_]:
    """Which rows have all labels."""
    return np.asarray(~np.isnan(labels).any(axis=1))
