"""Collects the label party's losses and metrics of every pass of a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from party.cut.hidden import FloatArray, Rows
from party.cut.results import InferenceResult, TrainingResult
from party.cut.state import State, join_states, part_of
from party.metrics.accumulator import MetricAccumulator
from party.metrics.groups import Groups
from party.metrics.pass_metrics import PassMetrics
from party.metrics.released_metrics import Releaser, release_nothing
from party.metrics.step_losses import StepLossRelease
from party.protocol.halves import Fuse
from party.protocol.schedule import Activity, Exchange, Schedule

Result = TrainingResult | InferenceResult


@dataclass
class EpochMetrics:
    """Metrics of one epoch.

    Attributes:
        epoch: number of the epoch; counts from 0.
        train: metrics of the training rows; None before the epoch ends.
        validation: metrics of the held-out rows, if there are any.
    """

    epoch: int
    train: PassMetrics | None = None
    validation: PassMetrics | None = None

    def to_values(self) -> list[object]:
        """The metrics as values that JSON can hold."""
        return [self.epoch, *(None if one is None else one.to_values() for one in (self.train, self.validation))]


class EpochBooks:
    """Accumulates the results of the batches of each pass.

    Args:
        schedule: the session's schedule.
        labels: labels of all rows in the common order, float32 (rows, labels).
        fuse: the fuse model, which computes metrics.
        minimum_rows: fewest rows behind a metric that is released to the coordinator.
        releaser: computes the metrics of a pass that are released to the coordinator.
        on_pass: called when a pass of training or over held-out rows has ended and its metrics are available.
        groups: number of each row's group by column, of all rows in the common order, int32 (rows, columns); None if no
            metric has groups.
    """

    def __init__(
        self,
        schedule: Schedule,
        labels: FloatArray,
        fuse: Fuse,
        *,
        minimum_rows: int,
        releaser: Releaser = release_nothing,
        on_pass: Callable[[], None] = lambda: None,
        groups: Groups | None = None,
    ) -> None:
        self._schedule = schedule
        self._labels = labels
        self._groups = groups
        self._fuse = fuse
        self._minimum_rows = minimum_rows
        self._releaser = releaser
        self._on_pass = on_pass
        self._pass: MetricAccumulator | None = None
        self.step_losses = StepLossRelease(minimum_rows)
        self.epochs: list[EpochMetrics] = []
        self.inference: MetricAccumulator | None = None
        self._restored_passes = 0

    @property
    def passes_done(self) -> int:
        """Number of passes that ended in this session, so that their metrics are available."""
        return self._all_passes() - self._restored_passes

    @property
    def is_open(self) -> bool:
        """Whether a pass has begun and not ended."""
        return self._pass is not None

    def begin(self, exchange: Exchange) -> None:
        """Begins the pass of an exchange, unless it has begun."""
        if self._pass is None:
            name = f"{exchange.activity.value} {exchange.epoch}"
            self._pass = self._new_pass(name, self._schedule.epoch_rows(exchange))

    def add_step(self, exchange: Exchange, rows: Rows, result: TrainingResult) -> None:
        """Adds a batch of training.

        Args:
            exchange: an exchange of training.
            rows: row numbers of the batch, int32 (rows,).
            result: result of the batch.
        """
        current = self._add(rows, result)
        rows_left = self._schedule.epoch_rows(exchange) - exchange.start - exchange.rows
        self.step_losses.add(exchange.step, exchange.rows, result.loss, rows_left)
        if not self.step_losses.held_back_rows:
            current.release()
        self._end_pass(exchange, current)

    def add_inference(self, exchange: Exchange, rows: Rows, result: InferenceResult) -> None:
        """Adds a batch of held-out rows, an evaluation or a prediction.

        Args:
            exchange: an exchange outside of training.
            rows: row numbers of the batch, int32 (rows,).
            result: result of the batch.
        """
        self._end_pass(exchange, self._add(rows, result))

    def running(self) -> PassMetrics | None:
        """Metrics of the current pass so far; None while they would cover too few rows."""
        current = self._pass
        return None if current is None else current.running(self._minimum_rows)

    def state(self) -> State:
        """All losses and metrics so far."""
        current = self._pass
        own = State(
            {
                "epochs": [epoch.to_values() for epoch in self.epochs],
                "pass": None if current is None else [current.name, len(current.outputs)],
            }
        )
        parts = {"own": own, "step_losses": self.step_losses.state()}
        return join_states(parts if current is None else {**parts, "pass": current.state()})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        own = part_of(state, "own").values
        self.epochs = [
            EpochMetrics(epoch, *(None if one is None else PassMetrics.from_values(one) for one in passes))
            for epoch, *passes in own["epochs"]
        ]
        self._restored_passes = self._all_passes()
        self.step_losses.set_state(part_of(state, "step_losses"))
        self._pass = None
        if own["pass"] is not None:
            name, rows = own["pass"]
            self._pass = self._new_pass(name, rows)
            self._pass.set_state(part_of(state, "pass"))

    def _all_passes(self) -> int:
        validated = sum(epoch.validation is not None for epoch in self.epochs)
        return len(self.epochs) + validated + (self.inference is not None)

    def _new_pass(self, name: str, rows: int) -> MetricAccumulator:
        return MetricAccumulator(
            name,
            rows,
            outputs=self._fuse.outputs,
            labels=self._labels.shape[1],
            score=self._fuse.score,
            releaser=self._releaser,
            group_columns=0 if self._groups is None else self._groups.shape[1],
        )

    def _add(self, rows: Rows, result: Result) -> MetricAccumulator:
        if self._pass is None:
            raise RuntimeError("a batch ended outside of a pass")
        groups = None if self._groups is None else self._groups[rows]
        self._pass.add(result.outputs, self._labels[rows], result.loss, result.measures, groups=groups)
        return self._pass

    def _end_pass(self, exchange: Exchange, current: MetricAccumulator) -> None:
        """Computes the metrics of a pass if the exchange is its last."""
        if not exchange.last:
            return
        self._pass = None
        if exchange.activity is Activity.INFER:
            self.inference = current
            return
        metrics = current.metrics()
        if exchange.activity is Activity.TRAIN:
            self.epochs.append(EpochMetrics(exchange.epoch, metrics))
        else:
            self.epochs[-1].validation = metrics
        self._on_pass()
