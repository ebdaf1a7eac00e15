"""The parties of a run configuration, from Python: align, fit, evaluate, predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from coordinator.alignment import AlignmentRelay, DatasetAlignment
from coordinator.configuration import CoordinatorConfiguration, load_coordinator_configuration
from coordinator.connection import PartyConnection, close_connections, open_connections
from coordinator.exchanges import run_exchanges
from coordinator.history import History, metrics_as_dictionary
from coordinator.journal import Journal
from coordinator.progress import Display, SilentDisplay
from coordinator.session import Proposal, Session, new_run_id
from coordinator.training import train
from party.configuration.run import run_configuration_from_bytes
from party.errors import ConfigurationError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Purpose
from party.security.clock import utc_now


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
        self._journal = Journal(configuration.path(configuration.output))
        self._connections: dict[str, PartyConnection] = {}
        try:
            self._connections = open_connections(configuration)
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
        proposal = self._proposal(Purpose.PURPOSE_ALIGN, new_run_id(), run.to_bytes(), realign=force)
        with self._display() as display, Session(self._connections, run, proposal) as session:
            return AlignmentRelay(session, display.update).align()

    def fit(self) -> History:
        """Trains a new run and has every party save its model.

        Returns:
            The history, also written to the output folder.
        """
        run = self.configuration.run
        run_id, configuration = new_run_id(), run.to_bytes()
        self._journal.begin(run_id, configuration, utc_now())
        try:
            proposal = self._proposal(Purpose.PURPOSE_TRAIN, run_id, configuration)
            with self._display() as display, Session(self._connections, run, proposal) as session:
                history = train(session, display)
        except BaseException:
            self._journal.end(run_id, "failed")
            raise
        history.save(self._journal.run_folder(history.run_id))
        self._journal.end(run_id, "trained")
        return history

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

    def _infer(
        self, purpose: Purpose, dataset: str | None, run_id: str | None
    ) -> tuple[pb.ReportReply, dict[str, pb.FinishReply]]:
        entry = self._journal.trained(run_id)
        run = run_configuration_from_bytes(entry.configuration)
        if set(run.parties) != set(self._connections):
            raise ConfigurationError(
                "the run was made with other parties",
                where=f"run {entry.run_id[:8]}",
                expected=", ".join(run.parties),
                received=", ".join(self._connections),
                fix="use the configuration file that it was trained with, or name another --run",
            )
        name = dataset or self.configuration.evaluate_dataset
        proposal = self._proposal(purpose, bytes.fromhex(entry.run_id), entry.configuration, dataset=name)
        with self._display() as display, Session(self._connections, run, proposal) as session:
            run_exchanges(
                session, lambda traffic: display.update(f"{name} batches", traffic.exchanges, session.exchanges)
            )
            request = pb.ReportRequest(session=session.reference)
            report = session.label.call(session.label.stub.Report, request)
            return report, session.finish()

    def _proposal(
        self, purpose: Purpose, run_id: bytes, configuration: bytes, dataset: str = "", realign: bool = False
    ) -> Proposal:
        return Proposal(purpose, run_id, self._journal.lease, configuration, dataset, realign)


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
