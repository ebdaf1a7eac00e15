"""The Python interface to the parties of a run configuration: align, fit, evaluate, predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self, TypeVar

from coordinator.alignment import AlignmentRelay, DatasetAlignment
from coordinator.configuration import CoordinatorConfiguration, differing_keys, load_coordinator_configuration
from coordinator.connection import await_parties, close_clients, open_clients
from coordinator.exchanges import run_exchanges
from coordinator.history import History, metrics_as_dictionary
from coordinator.journal import Journal, RunEntry
from coordinator.party_client import PartyClient
from coordinator.planning.planner import Plan, make_plan
from coordinator.planning.table import recommendation_lines
from coordinator.predictions import Predictions
from coordinator.progress import Display, SilentDisplay
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from coordinator.training_run import TrainingRun
from party.configuration.run import RunConfiguration, run_configuration_from_bytes
from party.errors import ConfigurationError, ConnectionLostError, SessionError, SessionLostError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Purpose
from party.security.clock import utc_now

MAXIMUM_ATTEMPTS = 10  # of an alignment, evaluation or prediction that loses the connection to a party

Result = TypeVar("Result")


class Federation:
    """All parties of a run configuration.

    Args:
        configuration: of the run.
        display: creates the display for progress; by default nothing is shown.
    """

    def __init__(self, configuration: CoordinatorConfiguration, display: Callable[[], Display] = SilentDisplay) -> None:
        self.configuration = configuration
        self._display = display
        self._stop = Event()
        self._closed = False
        self._shown: Display | None = None
        self._journal = Journal(configuration.path(configuration.output))
        self._clients: dict[str, PartyClient] = {}
        try:
            self._clients = open_clients(configuration, self._stop, self._notify)
            for client in self._clients.values():
                client.reach(configuration.connect_timeout_seconds, self._notify_while_connecting)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Returns the federation."""
        return self

    def close(self) -> None:
        """Closes the connections; the parties keep running."""
        self._closed = True
        close_clients(self._clients)
        self._journal.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the connections."""
        self.close()

    def align(self, *, force: bool = False) -> list[DatasetAlignment]:
        """Puts the rows of all parties in the same order; reuses an alignment that is still valid.

        Args:
            force: align again even if an alignment is still valid.

        Returns:
            One result per dataset: the rows of each party, and those in common.

        Raises:
            SplitError: a party refuses, or its data is unusable.
        """
        self._check_open()
        run = self.configuration.run

        def attempt() -> list[DatasetAlignment]:
            proposal = self._proposal(Purpose.PURPOSE_ALIGN, new_run_id(), run.to_bytes(), realign=force)
            with self._displayed() as display, CoordinatedSession(self._clients, run, proposal) as session:
                return AlignmentRelay(session, display.update).align()

        return self._retry_after_losses(attempt)

    def fit(self, *, resume: str | None = None, continue_from: str | None = None) -> History:
        """Trains a new run, or resumes a stopped one, and makes every party save its model.

        If a party becomes unreachable, waits for it and resumes the run from the last checkpoint that every party has.

        Args:
            resume: run_id of the stopped run, in hexadecimal, possibly shortened; empty for the latest one; None for a
                new run.
            continue_from: run_id of the finished run, likewise, whose weights and vocabularies a new run begins with;
                optimizers begin anew. None for drawn weights.

        Returns:
            The history, also written to the output folder.

        Raises:
            StoppedError: `stop` was called; the run can be resumed.
            SplitError: any other failure that a person can act on, such as a party that stays unreachable.
        """
        with self._stoppable():
            entry = self._begin(continue_from) if resume is None else self._resume(resume or None, continue_from)
            with self._displayed() as display:
                run = TrainingRun(
                    self._clients, self.configuration, self._journal, entry, display=display, stop=self._stop
                )
                return run.complete()

    def stop(self) -> None:
        """Stops the current run or plan, or else the next one; for another thread or a signal handler.

        A run stops after a checkpoint. The call concerns that one run: later ones train again.
        """
        self._stop.set()

    def stopped_run(self) -> RunEntry | None:
        """Returns the latest run with this configuration if it stopped early and can be resumed, else None."""
        found = [one for one in self._journal.runs() if one.configuration == self._run_like(one).to_bytes()]
        return found[-1] if found and found[-1].resumable and found[-1].commits else None

    def evaluate(self, dataset: str | None = None, *, run_id: str | None = None) -> dict[str, float]:
        """Evaluates a finished run on a dataset.

        Args:
            dataset: its name; by default `evaluate_dataset` of the configuration.
            run_id: in hexadecimal, possibly shortened; by default the latest finished run.

        Returns:
            The metrics that the label party released, by name: `loss` and `auc`, and those of its `metrics`, as far as
                its policy releases them; NaN where one is undefined, as an AUC of one class is.
        """
        reply, _ = self._infer(Purpose.PURPOSE_EVALUATE, dataset, run_id)
        return metrics_as_dictionary(reply.evaluation)

    def predict(self, dataset: str | None = None, *, run_id: str | None = None) -> Predictions:
        """Makes the label party write the predictions of a finished run for a dataset.

        Args:
            dataset: its name; by default `evaluate_dataset` of the configuration.
            run_id: in hexadecimal, possibly shortened; by default the latest finished run.

        Returns:
            Where the predictions are; the coordinator does not see them.
        """
        _, finished = self._infer(Purpose.PURPOSE_PREDICT, dataset, run_id)
        reply = finished[self.configuration.label_party]
        return Predictions(self.configuration.label_party, tuple(reply.files), reply.rows)

    def plan(self) -> Plan:
        """Measures the network and the parties, and predicts the speed of schedules and codecs.

        The parties train three short runs for it, and save nothing of them.

        Returns:
            The measurements, the predictions and the recommendation.

        Raises:
            StoppedError: `stop` was called.
        """
        with self._stoppable():
            return self._plan()

    def _plan(self) -> Plan:
        def attempt() -> Plan:
            with self._displayed() as display:
                return make_plan(
                    self._clients,
                    self.configuration,
                    lease=self._journal.lease,
                    display=display,
                    stopped=self._stop,
                )

        return self._retry_after_losses(attempt)

    def _planned_run(self) -> RunConfiguration:
        """Returns the run with the recommended schedule and codecs, and shows the recommendation."""
        taken = self._plan().recommendation
        with self._displayed() as display:
            for line in recommendation_lines(taken):
                display.print_line(line)
        return self.configuration.run_with(taken.prediction.schedule, taken.prediction.codecs)

    def _run_like(self, entry: RunEntry) -> RunConfiguration:
        """Returns the run of this file, with the planner's earlier decision where the file leaves it to the planner."""
        if not self.configuration.is_planned:
            return self.configuration.run
        return self.configuration.run_like(run_configuration_from_bytes(entry.configuration))

    def _infer(
        self, purpose: Purpose, dataset: str | None, run_id: str | None
    ) -> tuple[pb.ReportReply, dict[str, pb.FinishReply]]:
        self._check_open()
        entry = self._journal.trained(run_id)
        run = run_configuration_from_bytes(entry.configuration)
        self._check_parties(run, entry.run_id)
        name = dataset or self.configuration.evaluate_dataset
        proposal = self._proposal(purpose, bytes.fromhex(entry.run_id), entry.configuration, dataset=name)

        def attempt() -> tuple[pb.ReportReply, dict[str, pb.FinishReply]]:
            with self._displayed() as display, CoordinatedSession(self._clients, run, proposal) as session:
                run_exchanges(
                    session, lambda traffic: display.update(f"{name} batches", traffic.exchanges, session.exchanges)
                )
                report = session.label.report(session.reference)
                return report, session.finish()

        return self._retry_after_losses(attempt)

    def _retry_after_losses(self, attempt: Callable[[], Result]) -> Result:
        """Repeats an attempt after a lost connection, once all parties answer; a failed one leaves nothing behind."""
        for _ in range(MAXIMUM_ATTEMPTS - 1):
            try:
                return attempt()
            except (ConnectionLostError, SessionLostError):
                if self._stop.is_set():
                    raise
                await_parties(self._clients, self.configuration.reconnect_seconds)
        return attempt()

    def _begin(self, continue_from: str | None) -> RunEntry:
        """Records a new run."""
        continues = ""
        if continue_from is not None:
            finished = self._journal.trained(continue_from or None, "--continue")
            self._check_parties(run_configuration_from_bytes(finished.configuration), finished.run_id)
            continues = finished.run_id
        run = self._planned_run() if self.configuration.is_planned else self.configuration.run
        return self._journal.begin(new_run_id(), run.to_bytes(), utc_now(), continues)

    def _resume(self, run_id: str | None, continue_from: str | None) -> RunEntry:
        """Records that a stopped run is running again."""
        if continue_from is not None:
            raise ConfigurationError("a run is either resumed, or continued by a new one", where="continue_from")
        entry = self._journal.resumable(run_id)
        self._check_same(run_configuration_from_bytes(entry.configuration), entry.run_id)
        return self._journal.resume(bytes.fromhex(entry.run_id))

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Ends a request to stop with the run or plan that it stops."""
        self._check_open()
        try:
            yield
        finally:
            self._stop.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise SessionError("the connection is closed", where="federation", fix="connect again")

    @contextmanager
    def _displayed(self) -> Iterator[Display]:
        with self._display() as display:
            self._shown = display
            try:
                yield display
            finally:
                self._shown = None

    def _notify(self, text: str) -> None:
        """Prints a line on the current display, if there is one."""
        display = self._shown
        if display is not None:
            display.print_line(text)

    def _notify_while_connecting(self, text: str) -> None:
        """Prints a line on a display of its own."""
        with self._display() as display:
            display.print_line(text)

    def _check_same(self, run: RunConfiguration, run_id: str) -> None:
        """Raises an error if the configuration file differs from the configuration of a run to resume."""
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
        if set(run.parties) != set(self._clients):
            raise ConfigurationError(
                "the run was made with other parties",
                where=f"run {run_id[:8]}",
                expected=", ".join(run.parties),
                received=", ".join(self._clients),
                fix="use the configuration file that it was made with, or name another run",
            )

    def _proposal(
        self, purpose: Purpose, run_id: bytes, configuration: bytes, *, dataset: str = "", realign: bool = False
    ) -> ProposedSession:
        return ProposedSession(
            purpose=purpose,
            run_id=run_id,
            lease=self._journal.lease,
            configuration=configuration,
            dataset=dataset,
            realign=realign,
        )


def connect_federation(path: Path, display: Callable[[], Display] = SilentDisplay) -> Federation:
    """Connects to the parties of a run configuration.

    Args:
        path: the YAML file.
        display: creates the display for progress; by default nothing is shown.

    Returns:
        The federation, connected to every party.

    Raises:
        SplitError: the file, a certificate or a party is unusable.
    """
    return Federation(load_coordinator_configuration(path), display)
