"""A run in miniature: everything that a run does, in two short epochs."""

from __future__ import annotations

from party.configuration.run import TrainingSection
from party.cut.hidden import Rows
from party.protocol.schedule import TrainingSchedule

EPOCHS = 2  # the first one also shows what is done only once, such as compiling
DEFAULT_EPOCH_STEPS = 16
MOST_EPOCH_STEPS = 128  # enough to fill and observe a pipeline of 64 batches; a measuring session is no training run
HELD_OUT_BATCHES = 3  # the first, one that follows it, and a smaller last one


class MiniatureSchedule(TrainingSchedule):
    """Two epochs of a run's batches, cut short.

    Each has half of `training.maximum_steps` and at most MOST_EPOCH_STEPS, ends with a batch as small as the last one
    of a whole epoch, and is followed by a few held-out batches and, where the run has one, a decision.

    Args:
        training: the run's training parameters.
        rows: number of rows in common, at least one.
        row_key: key of the run's order of rows, 32 bytes.
        validation_rows: number of rows of another dataset, which follow and are all held out; 0 without one.

    Raises:
        ConfigurationError: no row is left to train on.
    """

    def __init__(self, training: TrainingSection, rows: int, row_key: bytes, validation_rows: int = 0) -> None:
        limit = training.maximum_steps
        self._most_steps = DEFAULT_EPOCH_STEPS if limit is None else min(MOST_EPOCH_STEPS, max(1, limit // EPOCHS))
        miniature = training.model_copy(update={"epochs": EPOCHS, "maximum_steps": None})
        super().__init__(miniature, rows, row_key, validation_rows)

    def _split(self, rows: int) -> tuple[Rows, Rows]:
        """The first rows of both parts."""
        training_rows, held_out_rows = super()._split(rows)
        batch_size, evaluation_batch_size = self._training.batch_size, self._training.evaluation_batch_size
        count = self._most_steps * batch_size
        if self._training.remainder == "keep":
            count = _cut(len(training_rows), batch_size, self._most_steps)
        return training_rows[:count], held_out_rows[: _cut(len(held_out_rows), evaluation_batch_size, HELD_OUT_BATCHES)]


def _cut(rows: int, batch_size: int, batches: int) -> int:
    """Number of rows in at most so many batches, whose last one is as large as that of all rows."""
    if rows <= batches * batch_size:
        return rows
    return batches * batch_size - (-rows % batch_size)
