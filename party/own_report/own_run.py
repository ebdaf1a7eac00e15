"""A run as the party's own state folder has it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from party.configuration.party import PartyConfiguration, load_party_configuration
from party.errors import SessionError, StorageError
from party.ledger.entry import Kind, LedgerEntry
from party.ledger.file import RUNS_FOLDER, read_ledger
from party.ledger.tally import Tally
from party.page.metric_figures import MetricByEpoch, metrics_by_epoch
from party.runtime.own_figures import EVALUATIONS_FILE, HISTORY_FILE, NEGATIVES
from party.runtime.quality_file import CountedQuality, read_counted
from party.runtime.records import RunRecord, RunRecords
from party.runtime.sent_file import SentInSession, read_sent
from party.security.files import read_private

SHOWN_RUN_CHARACTERS = 8
NOT_AS_WRITTEN = (ValueError, KeyError, TypeError, AttributeError)  # what JSON of another shape raises


@dataclass(frozen=True, kw_only=True)
class ExactEvaluation:
    """An evaluation as the label party has it.

    Attributes:
        at: when, ISO 8601.
        rows_of: what was evaluated, in words.
        rows: number of rows.
        metrics: exact figures by name; None where one is undefined.
        negatives_per_positive: number of negatives that were sampled for each positive row; 0 if none were.
    """

    at: str
    rows_of: str
    rows: int
    metrics: Mapping[str, float | None]
    negatives_per_positive: int = 0


@dataclass(frozen=True, kw_only=True)
class OwnRun:
    """A run and everything that this party has of it.

    Attributes:
        configuration: the party's file, as it is now.
        folder: of the run.
        record: of the run.
        entries: all lines of the ledger.
        epochs: numbers of its epochs, from 0; empty at a feature party.
        best_epoch: the epoch whose weights stayed, if early stopping chose one.
        metrics: exact metrics of the epochs.
        negatives: number of negatives that were sampled for each positive row, under `train` and `validation`.
        evaluations: exact ones, oldest first.
        sent: what each of its sessions sealed for others, oldest first.
        counted: exact quality of the party's data, by dataset or table, as its latest sessions counted it.
    """

    configuration: PartyConfiguration
    folder: Path
    record: RunRecord
    entries: Sequence[LedgerEntry]
    epochs: tuple[int, ...]
    best_epoch: int | None
    metrics: Sequence[MetricByEpoch]
    negatives: Mapping[str, int]
    evaluations: Sequence[ExactEvaluation]
    sent: Sequence[SentInSession]
    counted: Mapping[str, CountedQuality]

    @property
    def short_id(self) -> str:
        """The beginning of its run_id."""
        return self.record.run_id[:SHOWN_RUN_CHARACTERS]

    @property
    def lines(self) -> list[LedgerEntry]:
        """The lines of the ledger that are about it."""
        return [entry for entry in self.entries if entry.run_id == self.record.run_id]

    @property
    def released(self) -> Mapping[Kind, int]:
        """Number of releases of all its sessions, by kind."""
        tally, found = Tally(self.lines), dict[Kind, int]()
        for entry in tally.agreed():
            for kind, count in tally.released(entry).items():
                found[kind] = found.get(kind, 0) + count
        return found

    @property
    def dataset(self) -> str:
        """The dataset that it trained on, as the ledger names it; empty if no line does."""
        return next((one.datasets[0] for one in self.lines if one.purpose == "train" and one.datasets), "")

    @property
    def rows(self) -> int:
        """Number of rows in common that training read; 0 if no line says it."""
        return max((one.rows for one in self.lines if one.purpose == "train"), default=0)


def read_own_run(path: Path, run_id: str | None) -> OwnRun:
    """Reads a run, finished or not; reads no data and no model.

    Args:
        path: the party's YAML file.
        run_id: in hexadecimal, possibly shortened; None for the one that changed last.

    Raises:
        SessionError: no run, or more than one, has this run_id.
        SplitError: a file is not valid, damaged or was altered.
    """
    configuration = load_party_configuration(path)
    state = configuration.path(configuration.state)
    records = RunRecords(state / RUNS_FOLDER, configuration.party)
    record = _latest(records, configuration.party) if run_id is None else records.find_begun(run_id)
    folder = records.folder(bytes.fromhex(record.run_id))
    history = _history(folder, finished=record.state == "trained")
    return OwnRun(
        configuration=configuration,
        folder=folder,
        record=record,
        entries=read_ledger(state),
        epochs=history.epochs,
        best_epoch=history.best_epoch,
        metrics=history.metrics,
        negatives=history.negatives,
        evaluations=_evaluations(folder),
        sent=read_sent(folder),
        counted=read_counted(state),
    )


def _latest(records: RunRecords, party: str) -> RunRecord:
    found = records.all()
    if not found:
        raise SessionError("no run is stored", where=party, fix="train first")
    return found[-1]


@dataclass(frozen=True)
class _OwnHistory:
    epochs: tuple[int, ...]
    best_epoch: int | None
    metrics: Sequence[MetricByEpoch]
    negatives: Mapping[str, int]


def _history(folder: Path, *, finished: bool) -> _OwnHistory:
    path = folder / HISTORY_FILE
    if not path.exists():
        return _OwnHistory((), None, (), {})
    try:
        content = json.loads(read_private(path))
        negatives = {str(rows): int(count) for rows, count in content.get(NEGATIVES, {}).items()}
        epochs, best = tuple(map(int, content["epoch"])), content.get("best_epoch")
        series = {
            str(name): [None if value is None else float(value) for value in values]
            for name, values in content["history"].items()
        }
    except NOT_AS_WRITTEN:
        raise StorageError(
            "history is damaged", where=path, fix="delete the file: the report then does without"
        ) from None
    if not finished:  # the held-out rows of its last epoch may be still to come
        epochs = epochs[: min(map(len, series.values()), default=0)]
    return _OwnHistory(epochs, None if best is None else int(best), metrics_by_epoch(series, len(epochs)), negatives)


def _evaluations(folder: Path) -> list[ExactEvaluation]:
    path = folder / EVALUATIONS_FILE
    lines = read_private(path).splitlines() if path.exists() else []
    try:
        return [_evaluation(json.loads(line)) for line in lines]
    except NOT_AS_WRITTEN:
        raise StorageError("the evaluations are damaged", where=path, fix="delete the file") from None


def _evaluation(line: dict[str, Any]) -> ExactEvaluation:
    left_out = f" without {', '.join(line['without'])}" if line.get("without") else ""
    shuffled = line.get("shuffled")
    column = f", column {shuffled['number']} of {shuffled['party']} shuffled" if shuffled else ""
    return ExactEvaluation(
        at=str(line["at"]),
        rows_of=f"{line['dataset']}{left_out}{column}",
        rows=int(line["rows"]),
        metrics={name: None if value is None else float(value) for name, value in line["metrics"].items()},
        negatives_per_positive=int(line.get(NEGATIVES, 0)),
    )
