"""The history of a training run, in the form of `keras.callbacks.History`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from party.pb import party_pb2 as pb
from party.security.files import write_atomically

HISTORY_FILE = "history.json"


@dataclass
class History:
    """Metrics per epoch, as in `keras.callbacks.History`, and the time and traffic of the run.

    Attributes:
        run_id: in hexadecimal.
        history: values per epoch, by metric: the loss and the metrics of the labels, and the same prefixed with `val_`.
        epoch: numbers of the epochs.
        params: the numbers of `epochs` and `steps`.
        step_loss: (last step covered, rows, mean loss) of every release; empty unless the label party's policy sets
            running_metrics and exact_metrics.
        seconds: duration of the training loop.
        samples: number of rows trained on, counted in every epoch.
        message_bytes: size of all messages between parties, each counted once.
        timings: seconds by party and activity.
        continues: run_id of the finished run whose weights it began with, in hexadecimal; empty without one.
        best_epoch: the epoch with the best weights, if early stopping was configured; known once training has ended.
        negatives_per_positive: number of negatives that the label party sampled for each positive row of what metrics
            are over, under `train` and `validation`; empty if it sampled none.
    """

    run_id: str
    _: KW_ONLY
    history: dict[str, list[float]] = field(default_factory=dict)
    epoch: list[int] = field(default_factory=list)
    params: dict[str, int] = field(default_factory=dict)
    step_loss: list[tuple[int, int, float]] = field(default_factory=list)
    seconds: float = 0.0
    samples: int = 0
    message_bytes: int = 0
    timings: dict[str, dict[str, float]] = field(default_factory=dict)
    continues: str = ""
    best_epoch: int | None = None
    negatives_per_positive: dict[str, int] = field(default_factory=dict)

    @property
    def samples_per_second(self) -> float:
        """Training rows per second of the training loop, validation included."""
        return self.samples / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_sample(self) -> float:
        """Message bytes per training row."""
        return self.message_bytes / self.samples if self.samples else 0.0

    @property
    def undefined(self) -> list[str]:
        """Names of the metrics that were undefined in an epoch, as an AUC of one class is."""
        return [name for name, values in self.history.items() if any(map(math.isnan, values))]

    def take(self, report: pb.ReportReply) -> None:
        """Updates the history from a report of the label party.

        Args:
            report: the latest report, with all epochs so far and the new step reports.
        """
        self.step_loss.extend((one.step, one.rows, one.loss) for one in report.steps)
        self.history = {}
        self.best_epoch = report.best_epoch if report.HasField("best_epoch") else None
        self.epoch = [one.epoch for one in report.epochs]
        self.samples = sum(one.train.rows for one in report.epochs)
        for one in report.epochs:
            for name, value in epoch_figures(one).items():
                self.history.setdefault(name, []).append(value)
            self._note_negatives("train", one.train)
            if one.HasField("validation"):
                self._note_negatives("validation", one.validation)

    def save(self, folder: Path) -> None:
        """Writes `history.json`.

        Args:
            folder: of the run, in the coordinator's output folder.

        Raises:
            StorageError: the file cannot be written.
        """
        content: Mapping[str, object] = {
            "run_id": self.run_id,
            "continues": self.continues,
            "history": {name: [_finite(value) for value in values] for name, values in self.history.items()},
            "undefined": self.undefined,
            "epoch": self.epoch,
            "params": self.params,
            "seconds": self.seconds,
            "samples": self.samples,
            "samples_per_second": self.samples_per_second,
            "message_bytes": self.message_bytes,
            "bytes_per_sample": self.bytes_per_sample,
            "timings": self.timings,
            "best_epoch": self.best_epoch,
            **({"negatives_per_positive": self.negatives_per_positive} if self.negatives_per_positive else {}),
        }
        write_atomically(folder / HISTORY_FILE, json.dumps(content, indent=2, allow_nan=False).encode())

    def _note_negatives(self, rows: str, metrics: pb.Metrics) -> None:
        if metrics.negatives_per_positive:
            self.negatives_per_positive[rows] = metrics.negatives_per_positive


def metrics_as_dictionary(metrics: pb.Metrics) -> dict[str, float]:
    """Returns metrics by name, as Keras does with `return_dict=True`."""
    return {one.name: one.value for one in metrics.values}


def epoch_figures(epoch: pb.EpochReport) -> dict[str, float]:
    """Returns the metrics of an epoch by name, those of held-out rows prefixed with `val_`."""
    held_out = metrics_as_dictionary(epoch.validation) if epoch.HasField("validation") else {}
    return {**metrics_as_dictionary(epoch.train), **{f"val_{name}": value for name, value in held_out.items()}}


def _finite(value: float) -> float | None:
    """Replaces NaN by None, as JSON has no NaN: the AUC of a single class becomes null."""
    return value if math.isfinite(value) else None
