"""The loop over the batches of a session, readable as the protocol."""

from __future__ import annotations

from collections import deque

from coordinator.inference import InferencePass
from coordinator.pipeline import PipelinedPass
from coordinator.relay import BatchRelay, Envelopes, PendingEnvelopes
from coordinator.session import CoordinatedSession
from coordinator.traffic import BetweenSteps, Progress, Traffic


def run_exchanges(
    session: CoordinatedSession,
    progress: Progress,
    between_steps: BetweenSteps | None = None,
    traffic: Traffic | None = None,
) -> Traffic:
    """Processes every batch of a session with all parties, from the session's first position.

    Args:
        session: opened for training, measuring, evaluation or prediction.
        progress: called after every batch.
        between_steps: asked before every training batch whether it needs the parties to pause.
        traffic: counts what is relayed, from the session's first position on; by default a new one.

    Returns:
        The traffic of the session.
    """
    traffic = traffic or Traffic(session.position, session.start.step)
    relay = BatchRelay(session, traffic)
    requested: deque[PendingEnvelopes] = deque()  # training hiddens that an inference pass requested ahead
    hiddens: Envelopes = ()
    depth = session.run.training.schedule.batches_under_way
    while traffic.exchanges < session.exchanges:
        position = traffic.exchanges
        pass_end = session.pass_end(position)
        if position in session.decisions:
            stop = relay.decide(position)
            traffic.exchanges += 1
            progress(traffic)
            if stop:
                break
        elif pass_end is None:
            end = session.inference_end(position)
            training = min(depth, (session.pass_end(end) or end) - end)
            requested = InferencePass(relay, end, training).run(progress)
        elif depth > 1:
            PipelinedPass(relay, pass_end, depth=depth, requested=requested).run(progress, between_steps)
        else:
            if not hiddens:
                hiddens = (requested.popleft() if requested else relay.begin_forward(position))()
            if between_steps is not None and between_steps.is_due(traffic):
                between_steps.run(traffic)
            hiddens = _synchronous_step(relay, position, hiddens)
            progress(traffic)
    return traffic


def _synchronous_step(relay: BatchRelay, position: int, hiddens: Envelopes) -> Envelopes:
    """Processes one batch from hiddens to updates; returns the hiddens of the next step, if there is one."""
    gradients = relay.begin_fuse(position, hiddens)()
    following = relay.begin_backward(position, gradients)()
    relay.traffic.steps += 1
    relay.traffic.exchanges += 1
    return following
