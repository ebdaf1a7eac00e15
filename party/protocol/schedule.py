"""The schedule: a pure function of the run configuration, the number of rows and the key of their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Self

import numpy as np

from party.configuration.run import TrainingSection
from party.cut.hidden import Rows
from party.data.order import epoch_order, hold_out, pass_order
from party.errors import ConfigurationError

CACHED_ORDERS = 2  # number of epochs whose order is cached


class Activity(Enum):
    """The purpose of a batch."""

    TRAIN = "train"
    VALIDATE = "validate"
    DECIDE = "decide"
    INFER = "infer"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One batch that is exchanged between the parties.

    Attributes:
        position: number of the exchange in the session, from 0.
        activity: purpose of the batch.
        epoch: number of the epoch, from 0.
        step: number of training steps before this exchange, counted through the whole run.
        start: index of its first row in the order of its epoch.
        rows: number of rows in the batch.
        last: whether it is the last one of its activity in its epoch.
    """

    position: int
    activity: Activity
    epoch: int
    step: int
    start: int
    rows: int
    last: bool


class TrainingSchedule:
    """Epochs of training batches, each followed by a pass over the held-out rows and, with early stopping, a decision.

    Args:
        training: the run's training parameters.
        rows: number of rows in common, at least one.
        row_key: key of the run's order of rows, 32 bytes.
        validation_rows: number of rows of another dataset, which follow and are all held out; 0 without one.

    Attributes:
        validation_batches: number of batches of the held-out rows.

    Raises:
        ConfigurationError: no row is left to train on, or for early stopping to decide by.
    """

    def __init__(self, training: TrainingSection, rows: int, row_key: bytes, validation_rows: int = 0) -> None:
        self._training = training
        self._row_key = row_key
        self._validation_rows = validation_rows
        self.training_rows, self.held_out_rows = self._split(rows)
        self._held_out_order = self.held_out_rows
        batches = _batches(len(self.training_rows), training.batch_size)
        if training.remainder == "drop":
            batches = len(self.training_rows) // training.batch_size
        if batches == 0:
            raise ConfigurationError(
                "no batch can be filled",
                where="training",
                received=f"{len(self.training_rows)} training rows, batch_size {training.batch_size},"
                f" remainder {training.remainder}",
                fix="lower batch_size or validation_fraction",
            )
        self._epoch_steps = batches
        self.validation_batches = _batches(len(self.held_out_rows), training.evaluation_batch_size)
        limit = training.maximum_steps
        every = batches * training.epochs
        self.steps = every if limit is None else min(limit, every)
        self.epochs = _batches(self.steps, batches)
        self.early_stopping = training.early_stopping
        self.depth = training.schedule.batches_under_way
        self._decisions = 0 if training.early_stopping is None else 1
        if self._decisions and not len(self.held_out_rows):
            raise ConfigurationError(
                "early_stopping has no held-out rows to decide by",
                where="training",
                received=f"{rows} rows in common, validation_fraction {training.validation_fraction}",
                fix="raise validation_fraction or leave early_stopping out",
            )
        self.exchanges = self.steps + self.epochs * (self.validation_batches + self._decisions)
        # Every batch needs the order of its epoch; a local step may need that of the epoch before.
        self._order = lru_cache(CACHED_ORDERS)(lambda epoch: epoch_order(row_key, epoch, self.training_rows))

    def by_entity(self) -> Self:
        """Reads held-out rows in an order of the run, as rows that refer to entities are.

        The length of a message tells how many entities a batch has: runs with other batch sizes could be compared.
        """
        self._held_out_order = pass_order(self._row_key, self.held_out_rows)
        return self

    @property
    def largest_training_batch(self) -> int:
        """Number of rows in the largest training batch."""
        return min(self._training.batch_size, len(self.training_rows))

    @property
    def largest_batch(self) -> int:
        """Number of rows in the largest batch of any activity."""
        return max(self.largest_training_batch, min(self._training.evaluation_batch_size, len(self.held_out_rows)))

    @property
    def smallest_batch(self) -> int:
        """Number of rows in the smallest training batch."""
        if self._training.remainder == "drop" or len(self.training_rows) % self._training.batch_size == 0:
            return self._training.batch_size
        return len(self.training_rows) % self._training.batch_size

    @property
    def smallest_epoch(self) -> int:
        """Number of rows that the shortest epoch trains on: the last one, which `maximum_steps` may cut short."""
        return self._epoch_training_rows(self.epochs - 1) if self.epochs else 0

    def exchange(self, position: int) -> Exchange:
        """The exchange at a position of 0 to `exchanges` − 1."""
        epoch, place = divmod(position, self._epoch_steps + self.validation_batches + self._decisions)
        steps = min(self._epoch_steps, self.steps - epoch * self._epoch_steps)
        first_step = epoch * self._epoch_steps
        if place < steps:
            start, rows = _slice(place, self._training.batch_size, len(self.training_rows))
            last = place == steps - 1
            return Exchange(
                position=position,
                activity=Activity.TRAIN,
                epoch=epoch,
                step=first_step + place,
                start=start,
                rows=rows,
                last=last,
            )
        place -= steps
        if place == self.validation_batches:
            return Exchange(
                position=position,
                activity=Activity.DECIDE,
                epoch=epoch,
                step=first_step + steps,
                start=0,
                rows=0,
                last=True,
            )
        start, rows = _slice(place, self._training.evaluation_batch_size, len(self.held_out_rows))
        last = place == self.validation_batches - 1
        return Exchange(
            position=position,
            activity=Activity.VALIDATE,
            epoch=epoch,
            step=first_step + steps,
            start=start,
            rows=rows,
            last=last,
        )

    def position_of(self, step: int) -> int:
        """Position of the exchange of a training step; `exchanges` if the step is past the last one.

        Args:
            step: number of training steps before it, counted through the whole run.
        """
        if step >= self.steps:
            return self.exchanges
        epoch, place = divmod(step, self._epoch_steps)
        return epoch * (self._epoch_steps + self.validation_batches + self._decisions) + place

    @property
    def passes(self) -> Sequence[tuple[int, int]]:
        """First position and number of batches of each pass over training rows."""
        whole = self._epoch_steps + self.validation_batches + self._decisions
        steps = [min(self._epoch_steps, self.steps - epoch * self._epoch_steps) for epoch in range(self.epochs)]
        return [(epoch * whole, count) for epoch, count in enumerate(steps)]

    @property
    def decisions(self) -> Sequence[int]:
        """Positions at which the label party decides whether to continue: after the held-out rows of each epoch."""
        if not self._decisions:
            return ()
        whole = self._epoch_steps + self.validation_batches + 1
        return [min((epoch + 1) * whole, self.exchanges) - 1 for epoch in range(self.epochs)]

    def epoch_of(self, step: int) -> int:
        """The epoch of a training step; `epochs` if the step is past the last one.

        Args:
            step: number of training steps before it, counted through the whole run.
        """
        return min(step // self._epoch_steps, self.epochs)

    def rows_from(self, epoch: int) -> tuple[int, int]:
        """Numbers of training rows and held-out rows in all epochs from one on; a row counts in each epoch.

        Args:
            epoch: number of the first of these epochs, from 0.
        """
        training = sum(self._epoch_training_rows(one) for one in range(epoch, self.epochs))
        return training, len(self.held_out_rows) * max(0, self.epochs - epoch)

    def rows(self, exchange: Exchange) -> Rows:
        """Row numbers of a batch, int32 (rows,), in the common order of the parties."""
        order = self._order(exchange.epoch) if exchange.activity is Activity.TRAIN else self._held_out_order
        return order[exchange.start : exchange.start + exchange.rows].copy()

    def epoch_rows(self, exchange: Exchange) -> int:
        """Number of rows that the exchange's activity covers in its epoch."""
        if exchange.activity is Activity.VALIDATE:
            return len(self.held_out_rows)
        return self._epoch_training_rows(exchange.epoch)

    def _split(self, rows: int) -> tuple[Rows, Rows]:
        """The training rows and the held-out rows, each ascending."""
        if self._validation_rows:
            held_out = np.arange(rows, rows + self._validation_rows, dtype=np.int32)
            return np.arange(rows, dtype=np.int32), held_out
        return hold_out(self._row_key, rows, self._training.validation_fraction)

    def _epoch_training_rows(self, epoch: int) -> int:
        steps = min(self._epoch_steps, self.steps - epoch * self._epoch_steps)
        return min(steps * self._training.batch_size, len(self.training_rows))


class InferenceSchedule:
    """One pass over every row.

    Args:
        rows: number of rows in common.
        batch_size: rows of a batch.
        row_key: key of the run's order of rows, where they refer to entities: see `by_entity` of `TrainingSchedule`;
            empty where rows are read in the common order.

    Attributes:
        order: the row numbers in the order in which they are read, int32 (rows,).
    """

    def __init__(self, rows: int, batch_size: int, row_key: bytes = b"") -> None:
        self._rows = rows
        every = np.arange(rows, dtype=np.int32)
        self.order = pass_order(row_key, every) if row_key else every
        self._batch_size = batch_size
        self.exchanges = _batches(rows, batch_size)
        self.steps = 0
        self.decisions: Sequence[int] = ()
        self.passes: Sequence[tuple[int, int]] = ()
        self.early_stopping = None
        self.depth = 1
        self.largest_batch = min(rows, batch_size)

    def exchange(self, position: int) -> Exchange:
        """The exchange at a position of 0 to `exchanges` − 1."""
        start, rows = _slice(position, self._batch_size, self._rows)
        return Exchange(
            position=position,
            activity=Activity.INFER,
            epoch=0,
            step=0,
            start=start,
            rows=rows,
            last=position == self.exchanges - 1,
        )

    def rows(self, exchange: Exchange) -> Rows:
        """Row numbers of a batch, int32 (rows,), in the common order of the parties."""
        return self.order[exchange.start : exchange.start + exchange.rows].copy()

    def epoch_rows(self, exchange: Exchange) -> int:
        """Number of rows in the whole pass."""
        return self._rows


Schedule = TrainingSchedule | InferenceSchedule


def exchange_to_send(schedule: Schedule, position: int, under_way: int) -> Exchange | None:
    """The exchange whose hiddens are sent next, before the gradients of those under way.

    Args:
        schedule: the session's schedule.
        position: position of the oldest exchange that is not done.
        under_way: number of exchanges sent already, that one included.

    Returns:
        The exchange; None if the maximum is under way, or the pass has no more exchanges.
    """
    if under_way >= schedule.depth or position + under_way >= schedule.exchanges:
        return None
    following = schedule.exchange(position + under_way)
    return following if under_way == 0 or _in_one_pass(schedule.exchange(position), following) else None


def exchange_after_update(schedule: Schedule, position: int, under_way: int) -> Exchange | None:
    """The exchange whose hiddens are computed right after an update.

    Args:
        schedule: the session's schedule.
        position: position of the exchange that the update belongs to.
        under_way: number of exchanges sent already, that one included.

    Returns:
        The exchange; None if the pass has no more. With one batch under way, the next pass may follow at once.
    """
    if schedule.depth == 1:
        return following_training_exchange(schedule, position)
    if position + under_way >= schedule.exchanges:
        return None
    following = schedule.exchange(position + under_way)
    return following if _in_one_pass(schedule.exchange(position), following) else None


def _in_one_pass(one: Exchange, other: Exchange) -> bool:
    return one.activity is other.activity is Activity.TRAIN and one.epoch == other.epoch


def following_training_exchange(schedule: Schedule, position: int) -> Exchange | None:
    """The exchange after a position; None unless it is one of training."""
    if position + 1 >= schedule.exchanges:
        return None
    following = schedule.exchange(position + 1)
    return following if following.activity is Activity.TRAIN else None


def _batches(rows: int, batch_size: int) -> int:
    return -(-rows // batch_size)


def _slice(place: int, batch_size: int, rows: int) -> tuple[int, int]:
    start = place * batch_size
    return start, min(batch_size, rows - start)
