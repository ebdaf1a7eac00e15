"""What a training run came to, in the form that users of Keras know."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from party.pb import party_pb2 as pb
from party.security.files import write_atomically


@dataclass
class History:
    """Metrics per epoch, as `keras.callbacks.History` holds them, and what the run cost.

    Attributes:
        run_id: hexadecimal.
        history: lists by metric: the loss and the metrics of the labels, and the same with `val_` before them.
        epoch: numbers of the epochs.
        params: `epochs` and `steps`.
        step_loss: (last step that it covers, rows, mean loss) of every release.
        seconds: of the training loop.
        samples: rows trained on, each epoch's counted.
        message_bytes: of all messages between parties, each counted once.
        timings: seconds by party and activity.
        best_epoch: the epoch whose weights were kept last, where early stopping watched.
    """

    run_id: str
    history: dict[str, list[float]] = field(default_factory=dict)
    epoch: list[int] = field(default_factory=list)
    params: dict[str, int] = field(default_factory=dict)
    step_loss: list[tuple[int, int, float]] = field(default_factory=list)
    seconds: float = 0.0
    samples: int = 0
    message_bytes: int = 0
    timings: dict[str, dict[str, float]] = field(default_factory=dict)
    best_epoch: int | None = None

    @property
    def samples_per_second(self) -> float:
        """Training rows per second of the training loop, validation included."""
        return self.samples / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_sample(self) -> float:
        """Message bytes per training row."""
        return self.message_bytes / self.samples if self.samples else 0.0

    def take(self, report: pb.ReportReply) -> None:
        """Adds what a report of the label party holds beyond what is known."""
        self.step_loss.extend((one.step, one.rows, one.loss) for one in report.steps)
        self.history = {}
        self.best_epoch = report.best_epoch if report.HasField("best_epoch") else None
        self.epoch = [one.epoch for one in report.epochs]
        self.samples = sum(one.train.rows for one in report.epochs)
        for one in report.epochs:
            self._append("", one.train)
            if one.HasField("validation"):
                self._append("val_", one.validation)

    def save(self, folder: Path) -> None:
        """Writes `history.json` and `steps.csv`."""
        content: Mapping[str, object] = {
            "run_id": self.run_id,
            "history": {name: [_finite(value) for value in values] for name, values in self.history.items()},
            "epoch": self.epoch,
            "params": self.params,
            "seconds": self.seconds,
            "samples": self.samples,
            "samples_per_second": self.samples_per_second,
            "message_bytes": self.message_bytes,
            "bytes_per_sample": self.bytes_per_sample,
            "timings": self.timings,
            "best_epoch": self.best_epoch,
        }
        write_atomically(folder / "history.json", json.dumps(content, indent=2, allow_nan=False).encode())
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("step", "rows", "loss"))
        writer.writerows(self.step_loss)
        write_atomically(folder / "steps.csv", text.getvalue().encode())

    def _append(self, prefix: str, metrics: pb.Metrics) -> None:
        for one in metrics.values:
            self.history.setdefault(prefix + one.name, []).append(one.value)


def metrics_as_dictionary(metrics: pb.Metrics) -> dict[str, float]:
    """Metrics by name, as Keras returns them with `return_dict=True`."""
    return {one.name: one.value for one in metrics.values}


def _finite(value: float) -> float | None:
    """JSON knows no NaN: an AUC without both classes is null."""
    return value if math.isfinite(value) else None
