"""The coordinator's part of a training session: batches, checkpoints, progress, history."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from coordinator.checkpoints import Checkpointer
from coordinator.exchanges import run_exchanges
from coordinator.figures import metric_texts, metrics_text, withheld_text
from coordinator.history import History
from coordinator.progress import Display, Pace
from coordinator.session import CoordinatedSession
from coordinator.traffic import Traffic
from party.errors import StoppedError
from party.output.quantities import bytes_text, count_text
from party.pb import party_pb2 as pb

REPORT_SECONDS = 1.0
SHOWN_METRICS = 4  # on the live line, the loss included


class TrainingMonitor:
    """Requests metrics from the label party at intervals, and shows them.

    Args:
        session: opened for training.
        display: shows progress.
        history: receives the metrics.
        on_epochs: called with the epochs that ended since the report before, if any did.
    """

    def __init__(
        self,
        session: CoordinatedSession,
        display: Display,
        history: History,
        on_epochs: Callable[[Sequence[pb.EpochReport]], None],
    ) -> None:
        self._session = session
        self._display = display
        self._history = history
        self._on_epochs = on_epochs
        started_seconds = time.monotonic()
        self._pace = Pace(session.position)
        self._last = (started_seconds, session.start.step, 0)
        self._shown_epochs = session.epochs_before  # shown by an earlier session
        self._explained = False
        self._told: set[str] = set()
        self._due_seconds = started_seconds + REPORT_SECONDS

    def __call__(self, traffic: Traffic) -> None:
        """Shows progress after a batch, if the last report is old enough."""
        now = time.monotonic()
        if now < self._due_seconds:
            return
        self._due_seconds = now + REPORT_SECONDS
        self._show(self.report(), traffic, now)

    def report(self) -> pb.ReportReply:
        """Requests new metrics, and adds them to the history."""
        session = self._session
        reply = session.label.report(session.reference, steps_seen=len(self._history.step_loss))
        self._history.take(reply)
        is_whole = session.exchanges == session.steps  # without held-out rows
        ended = [epoch for epoch in reply.epochs[self._shown_epochs :] if is_whole or epoch.HasField("validation")]
        for epoch in ended:
            self._display.print_line(_epoch_line(epoch))
            self._explain_withheld()
        if ended:
            self._shown_epochs += len(ended)
            self._on_epochs(ended)
        return reply

    def _explain_withheld(self) -> None:
        """Says once which metrics are withheld."""
        withheld = self._history.withheld
        for reason in dict.fromkeys(withheld.values()):
            text = withheld_text([name for name, why in withheld.items() if why == reason], reason)
            if text not in self._told:
                self._told.add(text)
                self._display.print_line(text)

    def end(self, traffic: Traffic) -> None:
        """Shows how far the session came: its last state remains in view."""
        self._display.update(*self._place(self.report(), traffic), [self._step(traffic)])

    def _place(self, reply: pb.ReportReply, traffic: Traffic) -> tuple[str, int, int]:
        epochs = self._session.run.training.epochs
        return f"epoch {min(len(reply.epochs) + 1, epochs)}/{epochs}", traffic.exchanges, self._session.exchanges

    def _step(self, traffic: Traffic) -> str:
        return f"step {count_text(traffic.steps)}/{count_text(self._session.steps)}"

    def _show(self, reply: pb.ReportReply, traffic: Traffic, now: float) -> None:
        before_seconds, before_steps, before_bytes = self._last
        self._last = (now, traffic.steps, traffic.message_bytes)
        elapsed = max(now - before_seconds, 1e-9)
        batch_size = self._session.run.training.batch_size
        rate = (traffic.steps - before_steps) * batch_size / elapsed
        byte_rate = (traffic.message_bytes - before_bytes) / elapsed
        if not reply.running_metrics and not self._explained:
            self._explained = True
            self._display.print_line(
                "no loss is shown while an epoch is under way: policy.running_metrics is off at label party "
                f"{self._session.label.name}"
            )
        text, done, total = self._place(reply, traffic)
        figures = [
            self._pace.left_text(done, total),
            self._step(traffic),
            *(metric_texts("", reply.running)[:SHOWN_METRICS] if reply.HasField("running") else ()),
            f"{rate:,.0f} samples/s",
            f"{bytes_text(byte_rate)}/s",
        ]
        self._display.update(text, done, total, figures)


class StepPause:
    """Makes checkpoints between two steps, and stops the run there on request.

    Args:
        stop_requested: returns whether the run is to stop; called between any two steps.
        checkpointer: of the session.
        run_id: in hexadecimal.
        steps: number of steps of the whole run.
    """

    def __init__(self, stop_requested: Callable[[], bool], checkpointer: Checkpointer, run_id: str, steps: int) -> None:
        self._stop_requested = stop_requested
        self._checkpointer = checkpointer
        self._run_id = run_id
        self._steps = steps
        self._stopping = False

    def is_due(self, traffic: Traffic) -> bool:
        """Whether a checkpoint is due, or the run is to stop."""
        self._stopping = self._stopping or self._stop_requested()
        return self._stopping or self._checkpointer.is_due(traffic)

    def run(self, traffic: Traffic) -> None:
        """Starts a checkpoint if one is due; makes a last one if the run is to stop.

        Raises:
            StoppedError: the run was stopped after its last checkpoint.
        """
        if not self._stopping:
            self._checkpointer.run(traffic)
            return
        self._checkpointer.complete(traffic)
        raise StoppedError(
            f"stopped after step {count_text(traffic.steps)} of {count_text(self._steps)}, checkpointed at every party",
            where=f"run {self._run_id[:8]}",
            fix=f"run `coordinator train --resume {self._run_id[:8]}` to resume",
        )


def train(
    session: CoordinatedSession,
    display: Display,
    checkpointer: Checkpointer,
    stop_requested: Callable[[], bool],
    *,
    traffic: Traffic,
    on_epochs: Callable[[Sequence[pb.EpochReport]], None],
) -> History:
    """Runs the steps of a training session to the end, and makes every party save its model.

    Args:
        session: opened for training.
        display: shows progress.
        checkpointer: of the session.
        stop_requested: returns whether the run is to stop before its last step.
        traffic: counts what is relayed.
        on_epochs: called with epochs that ended.

    Returns:
        The history, with the time and traffic of this session.

    Raises:
        StoppedError: the run was stopped on request.
    """
    training = session.run.training
    history = History(run_id=session.reference.run_id.hex())
    history.params = {"epochs": training.epochs, "steps": session.steps}
    monitor = TrainingMonitor(session, display, history, on_epochs)
    between_steps = StepPause(stop_requested, checkpointer, history.run_id, session.steps)
    started_seconds = time.monotonic()
    run_exchanges(session, monitor, between_steps, traffic)
    monitor.end(traffic)
    history.seconds = time.monotonic() - started_seconds
    history.message_bytes = traffic.message_bytes
    for name, client in session.clients.items():
        history.take_timings(name, client.report(session.reference))
    checkpointer.complete(traffic)  # so that a crash while models are saved does not lose the last steps
    session.finish()
    return history


def _epoch_line(epoch: pb.EpochReport) -> str:
    text = f"epoch {epoch.epoch + 1}: " + metrics_text("", epoch.train)
    if epoch.HasField("validation"):
        text += "  " + metrics_text("val_", epoch.validation)
    return text
