"""What `coordinator train` tells of a run that has finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from coordinator.figures import undefined_text
from coordinator.history import HISTORY_FILE, History
from party.output.quantities import bytes_text, counted, seconds_text


@dataclass(frozen=True, kw_only=True)
class FinishedTraining:
    """A run that has finished; its attributes are those of its history.

    Attributes:
        run_id: in hexadecimal.
        continues: run_id of the finished run whose weights it began with; None without one.
        epochs: number of epochs that ended.
        steps: number of steps of the whole run.
        best_epoch: the epoch with the best weights, from 0; None without early stopping.
        metrics: values per epoch by name, those of held-out rows prefixed with `val_`; NaN where one is undefined.
        withheld: why the label party withholds a metric, by name.
        negatives_per_positive: number of sampled negatives for each positive row, under `train` and `validation`.
        samples: number of rows trained on, counted in every epoch.
        seconds: duration of the training loop.
        samples_per_second: of the training loop, validation included.
        message_bytes: size of all messages between parties, each counted once.
        bytes_per_sample: the same per row trained on.
        timings: seconds by party and activity.
        history_file: with all of this.
        warnings: what deserves a look, a sentence each.
    """

    run_id: str
    continues: str | None
    epochs: int
    steps: int
    best_epoch: int | None
    metrics: Mapping[str, list[float]]
    withheld: Mapping[str, str]
    negatives_per_positive: Mapping[str, int]
    samples: int
    seconds: float
    samples_per_second: float
    message_bytes: int
    bytes_per_sample: float
    timings: Mapping[str, Mapping[str, float]]
    history_file: Path
    warnings: tuple[str, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields the lines that `coordinator train` prints at the end; those of epochs came before."""
        yield from (f"warning: {text}" for text in self.warnings)
        yield f"run {self.run_id}"
        yield (
            f"{counted(self.samples, 'sample')} in {seconds_text(self.seconds)}:"
            f" {self.samples_per_second:,.0f} samples/s, {bytes_text(self.bytes_per_sample)} of messages per sample"
        )
        yield f"wrote {self.history_file}"


def finished_training(history: History, output: Path) -> FinishedTraining:
    """Returns what is to be told of a run.

    Args:
        history: of the run.
        output: folder of all runs.
    """
    return FinishedTraining(
        run_id=history.run_id,
        continues=history.continues or None,
        epochs=len(history.epoch),
        steps=history.params["steps"],
        best_epoch=history.best_epoch,
        metrics=history.history,
        withheld=history.withheld,
        negatives_per_positive=history.negatives_per_positive,
        samples=history.samples,
        seconds=history.seconds,
        samples_per_second=history.samples_per_second,
        message_bytes=history.message_bytes,
        bytes_per_sample=history.bytes_per_sample,
        timings=history.timings,
        history_file=output / history.run_id / HISTORY_FILE,
        warnings=(undefined_text(history.undefined),) if history.undefined else (),
    )
