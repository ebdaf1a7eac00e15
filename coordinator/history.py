"""The history of a training run, in the form of `keras.callbacks.History`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from party.errors import StorageError
from party.output.quantities import count_text, counted
from party.pb import party_pb2 as pb
from party.security.files import read_private, write_atomically

HISTORY_FILE = "history.json"
LONGEST_SECONDS = 1e9  # of work at one party: thirty years


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
        withheld: why the label party withholds a metric, by name; `history` does not have it.
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
    withheld: dict[str, str] = field(default_factory=dict)
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
        self.history, self.withheld = {}, {}
        self.best_epoch = report.best_epoch if report.HasField("best_epoch") else None
        self.epoch = [one.epoch for one in report.epochs]
        self.samples = sum(one.train.rows for one in report.epochs)
        for one in report.epochs:
            for name, value in epoch_figures(one).items():
                self.history.setdefault(name, []).append(value)
            self._note_negatives("train", one.train)
            self._note_withheld("", one.train)
            if one.HasField("validation"):
                self._note_negatives("validation", one.validation)
                self._note_withheld("val_", one.validation)

    def take_timings(self, party: str, report: pb.ReportReply) -> None:
        """Takes what a party states of its own work; what is no duration is left out, as the file could not hold it.

        Args:
            party: name of the party.
            report: its report.
        """
        self.timings[party] = {
            one.activity: one.seconds for one in report.timings if 0.0 <= one.seconds <= LONGEST_SECONDS
        }

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
            "withheld": self.withheld,
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

    def _note_withheld(self, prefix: str, metrics: pb.Metrics) -> None:
        reason = coarse_reason(metrics.rows, self.params.get("epochs", 1))
        self.withheld.update((prefix + name, reason) for name in metrics.withheld)

    def _note_negatives(self, rows: str, metrics: pb.Metrics) -> None:
        if metrics.negatives_per_positive:
            self.negatives_per_positive[rows] = metrics.negatives_per_positive


def read_history(folder: Path) -> History | None:
    """Reads the history of a finished run.

    Args:
        folder: of the run, in the coordinator's output folder.

    Returns:
        The history, without losses of steps, which the file does not hold; None if the run has not finished.

    Raises:
        StorageError: the file is damaged.
    """
    path = folder / HISTORY_FILE
    if not path.exists():
        return None
    try:
        content = json.loads(read_private(path))
        best = content.get("best_epoch")  # runs of earlier versions have no such key
        return History(
            str(content["run_id"]),
            history={
                str(name): [math.nan if value is None else float(value) for value in values]
                for name, values in content["history"].items()
            },
            epoch=[int(one) for one in content["epoch"]],
            params={str(name): int(count) for name, count in content["params"].items()},
            seconds=float(content["seconds"]),
            samples=int(content["samples"]),
            message_bytes=int(content["message_bytes"]),
            timings={
                str(party): {str(activity): float(seconds) for activity, seconds in timed.items()}
                for party, timed in content["timings"].items()
            },
            continues=str(content.get("continues", "")),
            best_epoch=None if best is None else int(best),
            withheld={str(name): str(reason) for name, reason in content.get("withheld", {}).items()},
            negatives_per_positive={
                str(rows): int(count) for rows, count in content.get("negatives_per_positive", {}).items()
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StorageError(
            "history is damaged", where=path, fix="delete the file: the report then does without"
        ) from None


def coarse_reason(rows: int, releases: int = 1) -> str:
    """Says why the label party withholds a metric.

    Args:
        rows: number of rows behind the metric.
        releases: number of times that the metric of these rows may be released.
    """
    after = f"after {count_text(releases)} releases " if releases > 1 else ""
    return f"too coarse {after}over {counted(rows, 'row')}"


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
