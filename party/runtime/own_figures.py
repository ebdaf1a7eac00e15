"""The label party's own record of a run's exact metrics: files in the run's folder and lines in its log."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from party.metrics.pass_metrics import PassMetrics
from party.metrics.sampled_negatives import SampledNegatives, negatives_words
from party.protocol.epoch_books import EpochMetrics
from party.protocol.label_exchanges import LabelExchanges
from party.protocol.shuffled_column import ShuffledColumn
from party.security.files import read_private, write_atomically

HISTORY_FILE = "history.json"
STEPS_FILE = "steps.csv"
EVALUATIONS_FILE = "evaluations.jsonl"
VALIDATION_PREFIX = "val_"
NEGATIVES = "negatives_per_positive"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluatedRows:
    """What an evaluation read.

    Attributes:
        dataset: name of the dataset.
        without: feature parties that it left out.
        shuffled: the column that it shuffled among the rows; None without one.
    """

    dataset: str
    without: tuple[str, ...] = ()
    shuffled: ShuffledColumn | None = None

    def __str__(self) -> str:
        left_out = f" without {', '.join(sorted(self.without))}" if self.without else ""
        shuffled = f" with {self.shuffled} shuffled" if self.shuffled else ""
        return f"{self.dataset}{left_out}{shuffled}"


class OwnFigures:
    """Writes the files and log lines of one run.

    Nothing in the files of training depends on when they were written: a resumed run ends with the same files as one
    that never stopped.

    Args:
        folder: the run's folder.
        run_id: id of the run, hexadecimal.
        negatives: how many negatives were sampled for each positive row of what the figures are over.
    """

    def __init__(self, folder: Path, run_id: str, negatives: SampledNegatives) -> None:
        self._folder = folder
        self._run = f"run {run_id[:8]}"
        self._negatives = negatives

    def log_epoch(self, epoch: EpochMetrics) -> None:
        """Logs the metrics of an epoch."""
        parts = (
            (_part("", epoch.train), self._negatives.dataset),
            (_part(VALIDATION_PREFIX, epoch.validation), self._negatives.held_out),
        )
        text = "  ".join(_text(values) + negatives_words(count) for values, count in parts if values)
        logger.info("%s: epoch %d: %s", self._run, epoch.epoch + 1, text)

    def write_training(self, label: LabelExchanges) -> tuple[str, ...]:
        """Writes the metrics by epoch and the losses by step, as far as available.

        Args:
            label: the label party's side of the session; further batches may arrive meanwhile.

        Returns:
            Names of the files.

        Raises:
            StorageError: a file cannot be written.
        """
        epochs = [epoch for epoch in list(label.own_epochs) if epoch.train is not None]
        series: dict[str, list[float | None]] = {}
        for epoch in epochs:
            for name, value in by_name(epoch).items():
                series.setdefault(name, []).append(_finite(value))
        content = {
            "history": series,
            "undefined": [name for name, values in series.items() if None in values],
            "epoch": [epoch.epoch for epoch in epochs],
            "samples": sum(epoch.train.rows for epoch in epochs if epoch.train is not None),
            "best_epoch": label.best_epoch if label.finished else None,
            **_negatives_by_name(self._negatives),
        }
        self._write(HISTORY_FILE, json.dumps(content, indent=2, allow_nan=False))
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("step", "rows", "loss"))
        writer.writerows((one.step, one.rows, one.loss) for one in label.own_step_losses.since(0))
        self._write(STEPS_FILE, text.getvalue())
        return HISTORY_FILE, STEPS_FILE

    def add_evaluation(
        self, evaluated: EvaluatedRows, at: datetime, metrics: PassMetrics, *, released: Mapping[str, float | None]
    ) -> None:
        """Appends a line for an evaluation to the file of evaluations, and to the log.

        Args:
            evaluated: what was evaluated.
            at: time of the evaluation, with a time zone.
            metrics: metrics of its rows.
            released: figures by name that the coordinator may see; None for one that is withheld.

        Raises:
            StorageError: the file cannot be written.
        """
        path = self._folder / EVALUATIONS_FILE
        line = {
            "at": at.isoformat(),
            "dataset": evaluated.dataset,
            **({"without": sorted(evaluated.without)} if evaluated.without else {}),
            **({"shuffled": dataclasses.asdict(evaluated.shuffled)} if evaluated.shuffled else {}),
            "rows": metrics.rows,
            **({NEGATIVES: self._negatives.dataset} if self._negatives.dataset else {}),
            "metrics": {name: _finite(value) for name, value in metrics.values.items()},
            "undefined": [name for name, value in metrics.values.items() if math.isnan(value)],
            "told": {name: None if value is None else _finite(value) for name, value in released.items()},
            "withheld": [name for name, value in released.items() if value is None],
        }
        before = read_private(path) if path.exists() else b""
        write_atomically(path, before + json.dumps(line, allow_nan=False).encode() + b"\n")
        text = _text(metrics.values) + negatives_words(self._negatives.dataset)
        logger.info("%s: evaluation of %s: %s", self._run, evaluated, text)

    def _write(self, name: str, text: str) -> None:
        write_atomically(self._folder / name, text.encode())


def by_name(epoch: EpochMetrics) -> dict[str, float]:
    """The metrics of an epoch by their names in a history: those of held-out rows have a prefix.

    Args:
        epoch: of the party's own books.
    """
    return _part("", epoch.train) | _part(VALIDATION_PREFIX, epoch.validation)


def _part(prefix: str, metrics: PassMetrics | None) -> dict[str, float]:
    return {} if metrics is None else {prefix + name: value for name, value in metrics.values.items()}


def _negatives_by_name(negatives: SampledNegatives) -> dict[str, dict[str, int]]:
    """What a history says of sampled negatives; nothing where there are none."""
    if negatives == SampledNegatives():
        return {}
    return {NEGATIVES: {"train": negatives.dataset, "validation": negatives.held_out}}


def _text(values: Mapping[str, float]) -> str:
    return "  ".join(
        f"{name} undefined" if math.isnan(value) else f"{name} {value:.6g}" for name, value in values.items()
    )


def _finite(value: float) -> float | None:
    """The value, or None for NaN, which JSON cannot hold: an AUC without both classes is null."""
    return float(value) if math.isfinite(value) else None
