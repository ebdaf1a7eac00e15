"""A training session as its coordinator sees it: batches, checkpoints, progress, history."""

from __future__ import annotations

import time
from collections.abc import Callable

from coordinator.checkpoints import Checkpointer
from coordinator.exchanges import run_exchanges
from coordinator.history import History, metrics_as_dictionary
from coordinator.progress import Display
from coordinator.session import Session
from coordinator.traffic import Traffic
from party.errors import StoppedError
from party.pb import party_pb2 as pb

REPORT_SECONDS = 1.0
STOP_CHECK_SECONDS = 0.5
SHOWN_METRICS = 4  # of the live line, the loss included


class TrainingWatch:
    """Asks the label party for metrics now and then, and shows them.

    Args:
        session: opened for training.
        display: shows progress.
        history: takes the metrics.
    """

    def __init__(self, session: Session, display: Display, history: History) -> None:
        self._session = session
        self._display = display
        self._history = history
        self._started_seconds = time.monotonic()
        self._last = (self._started_seconds, session.start.step, 0)
        self._shown_epochs = session.epochs_before  # a person was told of these before the run stopped
        self._due_seconds = self._started_seconds + REPORT_SECONDS

    def __call__(self, traffic: Traffic) -> None:
        """Shows a batch's progress where the last look is old enough."""
        now = time.monotonic()
        if now < self._due_seconds:
            return
        self._due_seconds = now + REPORT_SECONDS
        self._show(self.report(), traffic, now)

    def report(self) -> pb.ReportReply:
        """Asks for what is new and notes it."""
        request = pb.ReportRequest(session=self._session.reference, steps_seen=len(self._history.step_loss))
        label = self._session.label
        reply: pb.ReportReply = label.call(label.stub.Report, request)
        self._history.take(reply)
        for epoch in reply.epochs[self._shown_epochs :]:
            complete = epoch.HasField("validation") or self._session.exchanges == self._session.steps
            if complete:
                self._display.line(_epoch_line(epoch))
                self._shown_epochs += 1
        return reply

    def _show(self, reply: pb.ReportReply, traffic: Traffic, now: float) -> None:
        before_seconds, before_steps, before_bytes = self._last
        self._last = (now, traffic.steps, traffic.message_bytes)
        elapsed = max(now - before_seconds, 1e-9)
        batch_size = self._session.run.training.batch_size
        rate = (traffic.steps - before_steps) * batch_size / elapsed
        byte_rate = (traffic.message_bytes - before_bytes) / elapsed
        metrics = ""
        if reply.HasField("running"):
            metrics = _metrics_text("", reply.running, SHOWN_METRICS) + "  "
        epoch = len(reply.epochs) + 1
        epochs = self._session.run.training.epochs
        text = (
            f"epoch {min(epoch, epochs)}/{epochs}  step {traffic.steps}/{self._session.steps}  {metrics}"
            f"{rate:,.0f} samples/s  {byte_rate / 1e6:.1f} MB/s"
        )
        done = max(1, traffic.exchanges - self._session.position)
        remaining = (self._session.exchanges - traffic.exchanges) * (now - self._started_seconds) / done
        self._display.update(f"{text}  {remaining:,.0f} s left", traffic.exchanges, self._session.exchanges)


class StandStill:
    """Checkpoints, and the end of a run once somebody asked for it: both between two steps.

    Args:
        stop_requested: whether somebody did.
        checkpointer: of the session.
        run_id: hexadecimal.
        steps: of the whole run.
    """

    def __init__(self, stop_requested: Callable[[], bool], checkpointer: Checkpointer, run_id: str, steps: int) -> None:
        self._stop_requested = stop_requested
        self._checkpointer = checkpointer
        self._run_id = run_id
        self._steps = steps
        self._due_seconds = 0.0
        self._stopping = False

    def wants(self, traffic: Traffic) -> bool:
        """Whether a checkpoint is due, or the run is to stop."""
        now = time.monotonic()
        if now >= self._due_seconds:
            self._due_seconds = now + STOP_CHECK_SECONDS
            self._stopping = self._stop_requested()
        return self._stopping or self._checkpointer.wants(traffic)

    def visit(self, traffic: Traffic) -> None:
        """Makes a checkpoint where one is due, and a last one where it is time to stop.

        Raises:
            StoppedError: the run has ended here.
        """
        if not self._stopping:
            self._checkpointer.visit(traffic)
            return
        self._checkpointer.complete(traffic)
        raise StoppedError(
            f"stopped after step {traffic.steps} of {self._steps}, which is safe at every party",
            where=f"run {self._run_id[:8]}",
            fix=f"`coordinator train --resume {self._run_id[:8]}` goes on",
        )


def train(
    session: Session, display: Display, checkpointer: Checkpointer, stop_requested: Callable[[], bool]
) -> History:
    """Runs the steps of a training session to the end and has every party save its model.

    Args:
        session: opened for training.
        display: shows progress.
        checkpointer: of the session.
        stop_requested: whether the run is to end in order before its last step.

    Returns:
        The history; time and traffic are those of this session.

    Raises:
        StoppedError: it was asked to stop, and did.
    """
    training = session.run.training
    history = History(run_id=session.reference.run_id.hex())
    history.params = {"epochs": training.epochs, "steps": session.steps}
    watch = TrainingWatch(session, display, history)
    between_steps = StandStill(stop_requested, checkpointer, history.run_id, session.steps)
    started_seconds = time.monotonic()
    traffic = run_exchanges(session, watch, between_steps)
    watch.report()
    history.seconds = time.monotonic() - started_seconds
    history.message_bytes = traffic.message_bytes
    history.timings = {name: _timings(session, name) for name in session.connections}
    checkpointer.complete(traffic)  # a crash while models are saved must not cost the last steps
    session.finish()
    return history


def _timings(session: Session, name: str) -> dict[str, float]:
    party = session.connections[name]
    request = pb.ReportRequest(session=session.reference, steps_seen=2**63)
    reply = party.call(party.stub.Report, request)
    return {timing.activity: timing.seconds for timing in reply.timings}


def _epoch_line(epoch: pb.EpochReport) -> str:
    text = f"epoch {epoch.epoch + 1}: " + _metrics_text("", epoch.train)
    if epoch.HasField("validation"):
        text += "  " + _metrics_text("val_", epoch.validation)
    return text


def _metrics_text(prefix: str, metrics: pb.Metrics, most: int | None = None) -> str:
    shown = list(metrics_as_dictionary(metrics).items())[:most]
    return "  ".join(f"{prefix}{name} {value:.4f}" for name, value in shown)
