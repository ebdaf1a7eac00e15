"""The parties of a run configuration, from Python: align, fit, evaluate, predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self, TypeVar

from coordinator.alignment import AlignmentRelay, DatasetAlignment
from coordinator.configuration import CoordinatorConfiguration, load_coordinator_configuration
from coordinator.connection import PartyConnection, await_parties, close_connections, open_connections
from coordinator.exchanges import run_exchanges
from coordinator.history import History, metrics_as_dictionary
from coordinator.journal import Journal, RunEntry
from coordinator.planning.planner import Plan, make_plan
from coordinator.planning.table import recommendation_lines
from coordinator.progress import Display, SilentDisplay
from coordinator.session import Proposal, Session, new_run_id
from coordinator.training_run import TrainingRun
from party.configuration.run import RunConfiguration, run_configuration_from_bytes
from party.errors import ConfigurationError, ConnectionLostError, SessionLostError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Purpose
from party.security.clock import utc_now

MAXIMUM_ATTEMPTS = 10  # of an alignment, an evaluation or a prediction that loses a party

Result = TypeVar("Result")


@dataclass(frozen=True)
class Predictions:
    """Where predictions were written.

    Attributes:
        party: the label party, the only one that has them.
        files: names in the run's folder below the party's own state folder.
        rows: how many.
    """

    party: str
    files: tuple[str, ...]
    rows: int


class Federation:
    """All parties of a run configuration.

    Args:
        configuration: of the run.
        display: makes what shows progress; nothing is shown where None.
    """

    def __init__(self, configuration: CoordinatorConfiguration, display: Callable[[], Display] = SilentDisplay) -> None:
        self.configuration = configuration
        self._display = display
        self._stop = Event()
        self._shown: Display | None = None
        self._journal = Journal(configuration.path(configuration.output))
        self._connections: dict[str, PartyConnection] = {}
        try:
            self._connections = open_connections(configuration, self._stop, self._tell)
            for connection in self._connections.values():
                connection.reach(configuration.connect_timeout_seconds)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Returns the federation itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the connections."""
        self.close()

    def close(self) -> None:
        """Closes the connections; the parties go on serving."""
        close_connections(self._connections)
        self._journal.close()

    def align(self, *, force: bool = False) -> list[DatasetAlignment]:
        """Puts the rows of all parties in the same order, where they are not yet.

        Args:
            force: align also where an alignment still holds.

        Returns:
            Rows per party and in common, by dataset.
        """
        run = self.configuration.run

        def attempt() -> list[DatasetAlignment]:
            proposal = self._proposal(Purpose.PURPOSE_ALIGN, new_run_id(), run.to_bytes(), realign=force)
            with self._displayed() as display, Session(self._connections, run, proposal) as session:
                return AlignmentRelay(session, display.update).align()

        return self._through_losses(attempt)

    def fit(self, *, resume: str | None = None) -> History:
        """Trains a new run, or goes on with one that stopped, and has every party save its model.

        A party that goes away is waited for; the run then goes on from the last checkpoint that every party has.

        Args:
            resume: run_id of a run that stopped, hexadecimal, possibly shortened; the latest where empty; a new run
                where None.

        Returns:
            The history, also written to the output folder.

        Raises:
            StoppedError: `stop` was called; the run can go on.
        """
        if resume is None:
            run = self._planned_run() if self.configuration.is_planned else self.configuration.run
            entry = self._journal.begin(new_run_id(), run.to_bytes(), utc_now())
        else:
            entry = self._journal.resumable(resume or None)
            self._check_same(run_configuration_from_bytes(entry.configuration), entry.run_id)
            entry = self._journal.resume(bytes.fromhex(entry.run_id))
        with self._displayed() as display:
            return TrainingRun(
                self._connections, self.configuration, self._journal, entry, display, self._stop
            ).complete()

    def stop(self) -> None:
        """Lets a run that another thread, or a signal's handler, interrupts end in order, after a checkpoint."""
        self._stop.set()

    def stopped_run(self) -> RunEntry | None:
        """The latest run with this very configuration that stopped before its end, if there is one."""
        found = [one for one in self._journal.runs() if one.configuration == self._run_like(one).to_bytes()]
        return found[-1] if found and found[-1].resumable and found[-1].commits else None

    def evaluate(self, dataset: str | None = None, *, run_id: str | None = None) -> dict[str, float]:
        """Evaluates a finished run on a dataset.

        Args:
            dataset: its name; `evaluate_dataset` of the configuration where None.
            run_id: hexadecimal, possibly shortened; the latest run where None.

        Returns:
            Loss, AUC, precision and recall.
        """
        reply, _ = self._infer(Purpose.PURPOSE_EVALUATE, dataset, run_id)
        return metrics_as_dictionary(reply.evaluation)

    def predict(self, dataset: str | None = None, *, run_id: str | None = None) -> Predictions:
        """Has the label party write the predictions of a finished run for a dataset.

        Args:
            dataset: its name; `evaluate_dataset` of the configuration where None.
            run_id: hexadecimal, possibly shortened; the latest run where None.

        Returns:
            Where they are; the coordinator does not see them.
        """
        _, finished = self._infer(Purpose.PURPOSE_PREDICT, dataset, run_id)
        reply = finished[self.configuration.label_party]
        return Predictions(self.configuration.label_party, tuple(reply.files), reply.rows)

    def plan(self) -> Plan:
        """Measures the network and the parties, and predicts what schedules and codecs would bring.

        The parties train three short runs in miniature, and keep nothing of them.

        Returns:
            The measurements, the predictions and the recommendation.

        Raises:
            StoppedError: `stop` was called.
        """

        def attempt() -> Plan:
            with self._displayed() as display:
                return make_plan(self._connections, self.configuration, self._journal.lease, display, self._stop)

        return self._through_losses(attempt)

    def _planned_run(self) -> RunConfiguration:
        """The run with what the planner recommends; says what that is."""
        taken = self.plan().recommendation
        with self._displayed() as display:
            for line in recommendation_lines(taken):
                display.line(line)
        return self.configuration.run_with(taken.prediction.schedule, taken.prediction.codecs)

    def _run_like(self, entry: RunEntry) -> RunConfiguration:
        """What this file describes; where the planner decides, as it decided for an earlier run."""
        if not self.configuration.is_planned:
            return self.configuration.run
        return self.configuration.run_like(run_configuration_from_bytes(entry.configuration))

    def _infer(
        self, purpose: Purpose, dataset: str | None, run_id: str | None
    ) -> tuple[pb.ReportReply, dict[str, pb.FinishReply]]:
        entry = self._journal.trained(run_id)
        run = run_configuration_from_bytes(entry.configuration)
        self._check_parties(run, entry.run_id)
        name = dataset or self.configuration.evaluate_dataset
        proposal = self._proposal(purpose, bytes.fromhex(entry.run_id), entry.configuration, dataset=name)

        def attempt() -> tuple[pb.ReportReply, dict[str, pb.FinishReply]]:
            with self._displayed() as display, Session(self._connections, run, proposal) as session:
                run_exchanges(
                    session, lambda traffic: display.update(f"{name} batches", traffic.exchanges, session.exchanges)
                )
                request = pb.ReportRequest(session=session.reference)
                report = session.label.call(session.label.stub.Report, request)
                return report, session.finish()

        return self._through_losses(attempt)

    def _through_losses(self, attempt: Callable[[], Result]) -> Result:
        """Begins anew what a lost party interrupted, once all are back: it leaves nothing behind that counts."""
        for _ in range(MAXIMUM_ATTEMPTS - 1):
            try:
                return attempt()
            except (ConnectionLostError, SessionLostError):
                if self._stop.is_set():
                    raise
                await_parties(self._connections, self.configuration.reconnect_seconds)
        return attempt()

    @contextmanager
    def _displayed(self) -> Iterator[Display]:
        with self._display() as display:
            self._shown = display
            try:
                yield display
            finally:
                self._shown = None

    def _tell(self, text: str) -> None:
        """Shows a line where something is shown at the moment."""
        display = self._shown
        if display is not None:
            display.line(text)

    def _check_same(self, run: RunConfiguration, run_id: str) -> None:
        """Refuses to go on with a run that the configuration file does not describe any more."""
        self._check_parties(run, run_id)
        differing = differing_keys(
            run.model_dump(mode="json"), self.configuration.run_like(run).model_dump(mode="json")
        )
        if differing:
            raise ConfigurationError(
                f"the configuration differs from that of the run: {', '.join(differing)}",
                where=f"run {run_id[:8]}",
                fix="change it back to resume, or train a new run",
            )

    def _check_parties(self, run: RunConfiguration, run_id: str) -> None:
        if set(run.parties) != set(self._connections):
            raise ConfigurationError(
                "the run was made with other parties",
                where=f"run {run_id[:8]}",
                expected=", ".join(run.parties),
                received=", ".join(self._connections),
                fix="use the configuration file that it was made with, or name another run",
            )

    def _proposal(
        self, purpose: Purpose, run_id: bytes, configuration: bytes, dataset: str = "", realign: bool = False
    ) -> Proposal:
        return Proposal(purpose, run_id, self._journal.lease, configuration, dataset, realign)


def differing_keys(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the keys in which two configurations differ, ascending."""
    found = []
    for key in sorted(set(first) | set(second)):
        one, other = first.get(key), second.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += differing_keys(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(f"{prefix}{key}")
    return found


def connect_federation(path: Path, display: Callable[[], Display] = SilentDisplay) -> Federation:
    """Connects to the parties of a run configuration.

    Args:
        path: the YAML file.
        display: makes what shows progress.

    Returns:
        The parties, reachable.

    Raises:
        SplitError: the file, a certificate or a party cannot be used.
    """
    return Federation(load_coordinator_configuration(path), display)
