"""A run as the coordinator's output folder has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.history import History, read_history
from coordinator.journal import FAILED, RUNNING, TRAINED, RunEntry, find_run, is_locked
from coordinator.statements import PartyStatement, read_statements
from coordinator.stored_evaluations import StoredEvaluation, read_evaluations
from party.configuration.run import RunConfiguration, run_configuration_from_bytes
from party.output.quantities import count_text
from party.page.metric_figures import MetricByEpoch, metrics_by_epoch

SHOWN_RUN_CHARACTERS = 8


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run and everything that the coordinator has of it.

    Attributes:
        coordinator: name of the coordinator.
        folder: of the run.
        entry: of the journal.
        run: the run configuration that the parties agreed on.
        is_driven: whether a process drives it now.
        history: figures by epoch; None before the run has finished.
        statements: what each party stated, by name; empty where nothing is stored.
        evaluations: what was released of evaluations, oldest first.
    """

    coordinator: str
    folder: Path
    entry: RunEntry
    run: RunConfiguration
    is_driven: bool
    history: History | None
    statements: Mapping[str, PartyStatement]
    evaluations: tuple[StoredEvaluation, ...]

    @property
    def short_id(self) -> str:
        """The beginning of its run_id."""
        return self.entry.run_id[:SHOWN_RUN_CHARACTERS]

    @property
    def state(self) -> str:
        """How far it has come, in words."""
        entry = self.entry
        if not entry.began:
            return "failed before it began" if entry.state == FAILED else "not begun"
        progress = f"step {count_text(entry.step)} of {count_text(entry.steps)}"
        if entry.state == TRAINED:
            return "finished"
        if entry.state == RUNNING:
            return f"under way, {progress}" if self.is_driven else f"interrupted after {progress}"
        return f"{entry.state} after {progress}"

    @property
    def rows(self) -> int | None:
        """Number of rows in common of the dataset that was trained on; None if it is not known."""
        stated = self.statements.get(self.run.label_party)
        return None if stated is None else stated.rows.get(self.run.training.dataset)

    @cached_property
    def metrics(self) -> list[MetricByEpoch]:
        """The metrics that were released of its epochs."""
        return [] if self.history is None else metrics_by_epoch(self.history.history, len(self.history.epoch))

    @property
    def seconds(self) -> float:
        """Duration of training, as far as it has come."""
        if self.history is not None:
            return self.history.seconds
        return self.entry.commits[-1].seconds if self.entry.commits else 0.0

    @property
    def message_bytes(self) -> int:
        """Size of all messages of training, as far as it has come."""
        if self.history is not None:
            return self.history.message_bytes
        return self.entry.commits[-1].message_bytes if self.entry.commits else 0


def read_stored_run(path: Path, run_id: str) -> StoredRun:
    """Reads a run, also one that another process drives.

    Args:
        path: the run's YAML file.
        run_id: in hexadecimal, possibly shortened.

    Raises:
        ConfigurationError: the file is not valid; or no run, or more than one, has this run_id.
        StorageError: a file of the run is damaged.
    """
    configuration = load_coordinator_configuration(path)
    output = configuration.path(configuration.output)
    entry = find_run(output, run_id)
    folder = output / entry.run_id
    return StoredRun(
        coordinator=configuration.coordinator,
        folder=folder,
        entry=entry,
        run=run_configuration_from_bytes(entry.configuration),
        is_driven=is_locked(output),
        history=read_history(folder),
        statements=read_statements(folder),
        evaluations=read_evaluations(folder),
    )
