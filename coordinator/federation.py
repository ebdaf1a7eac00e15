"""The Python interface to the parties of a run configuration: align, fit, evaluate, predict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from types import TracebackType
from typing import Self

from coordinator.alignment import AlignmentRelay, DatasetAlignment
from coordinator.configuration import CoordinatorConfiguration
from coordinator.connection import close_clients, open_clients, until_connected
from coordinator.contributions import Contributions, announcement, contribution, left_out_sets
from coordinator.current_display import CurrentDisplay
from coordinator.evaluation import Evaluation, evaluation_of
from coordinator.finished_run import finished_run
from coordinator.history import History
from coordinator.journal import Journal, RunEntry
from coordinator.left_out import checked_left_out
from coordinator.party_client import PartyClient
from coordinator.planning.planner import Plan, make_plan
from coordinator.planning.table import recommendation_lines
from coordinator.predictions import Predictions, predictions_of
from coordinator.progress import Display, SilentDisplay
from coordinator.run_watch import RunWatch
from coordinator.same_run import is_same_run, resumed_run
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from coordinator.stored_quality import store_aligned
from coordinator.trained_run import Inference, infer
from coordinator.training_run import TrainingRun
from party.configuration.run import RunConfiguration
from party.errors import SessionError
from party.pb.handshake_pb2 import Purpose
from party.protocol.shuffled_column import ShuffledColumn
from party.security.clock import utc_now


class Federation:
    """All parties of a run configuration.

    Args:
        configuration: of the run.
        display: creates the display for progress; by default nothing is shown.
        without: feature parties that are away: nothing calls them, and evaluations and predictions have to leave them
            out.
    """

    def __init__(
        self,
        configuration: CoordinatorConfiguration,
        display: Callable[[], Display] = SilentDisplay,
        *,
        without: Collection[str] = (),
    ) -> None:
        self.configuration = configuration
        self._display = CurrentDisplay(display)
        self._stop = Event()
        self._closed = False
        away = checked_left_out(configuration.run, without)
        self._journal = Journal(configuration.path(configuration.output))
        self._clients: dict[str, PartyClient] = {}
        self.watch = RunWatch(configuration, self._retries, self._display.say)
        try:
            self._clients = open_clients(configuration, self._stop, self._display.notify, without=away)
            for client in self._clients.values():
                client.reach(configuration.connect_timeout_seconds, self._display.notify_alone)
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
        clients = self._present()
        run = self.configuration.run

        def attempt() -> list[DatasetAlignment]:
            proposal = self._proposal(Purpose.PURPOSE_ALIGN, new_run_id(), run.to_bytes(), realign=force)
            with self._display.shown() as display, CoordinatedSession(clients, run, proposal) as session:
                results = AlignmentRelay(session, display.update).align()
            store_aligned(self._journal.folder, results)
            return results

        return until_connected(attempt, clients, self.configuration.reconnect_seconds, self._stop)

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
        with self._stoppable(), self.watch.opened():
            if resume is None:
                entry = self._begin(continue_from)
            else:
                entry = resumed_run(self._journal, self.configuration, resume or None, continue_from)
            with self._display.shown() as display:
                return TrainingRun(
                    self._clients,
                    self.configuration,
                    self._journal,
                    entry,
                    display=display,
                    stop=self._stop,
                    watch=self.watch,
                ).complete()

    def stop(self) -> None:
        """Stops the current run or plan, or else the next one; for another thread or a signal handler.

        A run stops after a checkpoint. The call concerns that one run: later ones train again.
        """
        self._stop.set()

    def stopped_run(self) -> RunEntry | None:
        """Returns the latest run with this configuration if it stopped early and can be resumed, else None."""
        found = [one for one in self._journal.runs() if is_same_run(one, self.configuration)]
        return found[-1] if found and found[-1].resumable and found[-1].commits else None

    def evaluate(
        self,
        dataset: str | None = None,
        *,
        run_id: str | None = None,
        without: Collection[str] = (),
        shuffled: ShuffledColumn | None = None,
    ) -> dict[str, float]:
        """Evaluates a finished run on a dataset.

        Args:
            dataset: its name; by default `evaluate_dataset` of the configuration.
            run_id: in hexadecimal, possibly shortened; by default the latest finished run.
            without: feature parties to do without, which may be down; the model must have learned that.
            shuffled: a column whose cells are shuffled among the rows, if its owner allows it.

        Returns:
            The metrics that the label party released, by name: `loss` and `auc`, and those of its `metrics`, as far as
                its policy releases them and they tell anything; NaN where one is undefined.
        """
        return dict(self.evaluation(dataset, run_id=run_id, without=without, shuffled=shuffled).metrics)

    def evaluation(
        self,
        dataset: str | None = None,
        run_id: str | None = None,
        without: Collection[str] = (),
        shuffled: ShuffledColumn | None = None,
    ) -> Evaluation:
        """Evaluates as `evaluate` does, and returns all that was released.

        Args:
            dataset: its name; by default `evaluate_dataset` of the configuration.
            run_id: in hexadecimal, possibly shortened; by default the latest finished run.
            without: feature parties to do without, which may be down; the model must have learned that.
            shuffled: a column whose cells are shuffled among the rows, if its owner allows it.
        """
        return evaluation_of(self._infer(Purpose.PURPOSE_EVALUATE, dataset, run_id, without, shuffled=shuffled))

    def predict(
        self, dataset: str | None = None, *, run_id: str | None = None, without: Collection[str] = ()
    ) -> Predictions:
        """Makes the label party write the predictions of a finished run for a dataset.

        Args:
            dataset: its name; by default `evaluate_dataset` of the configuration.
            run_id: in hexadecimal, possibly shortened; by default the latest finished run.
            without: feature parties to do without, which may be down; the model must have learned that.

        Returns:
            Where the predictions are; the coordinator does not see them.
        """
        inference = self._infer(Purpose.PURPOSE_PREDICT, dataset, run_id, without)
        return predictions_of(inference, self.configuration.label_party)

    def contributions(self, dataset: str | None = None, *, run_id: str | None = None) -> Contributions:
        """Evaluates a finished run with every subset of its feature parties, the label party alone included.

        With k feature parties these are 2^k evaluations, each of which every party that takes part counts.

        Args:
            dataset: its name; by default `evaluate_dataset` of the configuration.
            run_id: in hexadecimal, possibly shortened; by default the latest finished run.

        Returns:
            The metrics, rows and bytes per sample of each evaluation.
        """
        *_, found = self.each_contribution(dataset, run_id=run_id)
        return found

    def each_contribution(self, dataset: str | None = None, *, run_id: str | None = None) -> Iterator[Contributions]:
        """Evaluates as `contributions` does, and yields all contributions so far after each evaluation.

        Args:
            dataset: its name; by default `evaluate_dataset` of the configuration.
            run_id: in hexadecimal, possibly shortened; by default the latest finished run.
        """
        self._present()
        entry, run = finished_run(self._journal, self.configuration, run_id)
        found = Contributions(run_id=entry.run_id, dataset=dataset or self.configuration.evaluate_dataset)
        self._display.notify_alone(announcement(run, found.dataset))
        for without in left_out_sets(run):
            inference = self._infer(Purpose.PURPOSE_EVALUATE, found.dataset, entry.run_id, without)
            found = replace(found, evaluations=(*found.evaluations, contribution(run, inference)))
            yield found

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
            with self._display.shown() as display:
                lease = self._journal.lease
                return make_plan(self._clients, self.configuration, lease=lease, display=display, stopped=self._stop)

        return until_connected(attempt, self._clients, self.configuration.reconnect_seconds, self._stop)

    def _planned_run(self) -> RunConfiguration:
        """Returns the run with the recommended schedule and codecs, and shows the recommendation."""
        taken = self._plan().recommendation
        with self._display.shown() as display:
            for line in recommendation_lines(taken):
                display.print_line(line)
        return self.configuration.run_with(taken.prediction.schedule, taken.prediction.codecs)

    def _infer(
        self,
        purpose: Purpose,
        dataset: str | None,
        run_id: str | None,
        without: Collection[str],
        *,
        shuffled: ShuffledColumn | None = None,
    ) -> Inference:
        self._check_open()
        entry, run = finished_run(self._journal, self.configuration, run_id)
        left_out = checked_left_out(run, without)
        clients = self._present(left_out)
        name = dataset or self.configuration.evaluate_dataset
        proposal = self._proposal(purpose, bytes.fromhex(entry.run_id), entry.configuration)
        proposal = replace(proposal, dataset=name, without=left_out, shuffled=shuffled)

        def attempt() -> Inference:
            with self._display.shown() as display:
                return infer(clients, run, proposal, display, folder=self._journal.run_folder(entry.run_id))

        return until_connected(attempt, clients, self.configuration.reconnect_seconds, self._stop)

    def _begin(self, continue_from: str | None) -> RunEntry:
        """Records a new run."""
        continues = ""
        if continue_from is not None:
            finished, _ = finished_run(self._journal, self.configuration, continue_from or None, "--continue")
            continues = finished.run_id
        run = self._planned_run() if self.configuration.is_planned else self.configuration.run
        return self._journal.begin(new_run_id(), run.to_bytes(), utc_now(), continues)

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Ends a request to stop with the run or plan that it stops."""
        self._present()
        try:
            yield
        finally:
            self._stop.clear()

    def _retries(self) -> dict[str, int]:
        """Number of attempts by party that were repeated because of a connection."""
        return {name: client.transport.repeated for name, client in self._clients.items()}

    def _check_open(self) -> None:
        if self._closed:
            raise SessionError("the connection is closed", where="federation", fix="connect again")

    def _present(self, without: Collection[str] = ()) -> dict[str, PartyClient]:
        """Returns the clients of all parties but those to leave out; refuses where others are away."""
        self._check_open()
        away = [name for name in self.configuration.run.parties if name not in self._clients and name not in without]
        if away:
            raise SessionError(
                f"connected without {', '.join(away)}",
                where="federation",
                fix="leave out the same parties, or connect again once they are back",
            )
        return {name: client for name, client in self._clients.items() if name not in without}

    def _proposal(
        self, purpose: Purpose, run_id: bytes, configuration: bytes, *, realign: bool = False
    ) -> ProposedSession:
        return ProposedSession(
            purpose=purpose, run_id=run_id, lease=self._journal.lease, configuration=configuration, realign=realign
        )
