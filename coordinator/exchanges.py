"""The loop over the batches of a session, readable as the protocol."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from coordinator.inference import Hiddens, InferencePass, begin_forward
from coordinator.pipeline import PipelinedPass
from coordinator.session import Session
from coordinator.traffic import BetweenSteps, Progress, Traffic, envelope_bytes
from party.pb import party_pb2 as pb


def run_exchanges(session: Session, progress: Progress, between_steps: BetweenSteps | None = None) -> Traffic:
    """Sends every batch of a session through all parties, from the one that it begins with.

    Args:
        session: opened for training, evaluation or prediction.
        progress: told after every batch.
        between_steps: asked before every batch of training whether it wants the parties to stand still.

    Returns:
        What went through.
    """
    traffic = Traffic(session.position, session.start.step)
    asked: deque[Hiddens] = deque()  # of batches of training that have begun beside what came before
    hiddens: Sequence[pb.Envelope] = ()
    depth = session.run.training.schedule.batches_under_way
    while traffic.exchanges < session.exchanges:
        position = traffic.exchanges
        pass_end = session.pass_end(position)
        if position in session.decisions:
            stop = _decide(session, position, traffic)
            traffic.exchanges += 1
            progress(traffic)
            if stop:
                break
        elif pass_end is None:
            end = session.inference_end(position)
            training = min(depth, (session.pass_end(end) or end) - end)
            asked = InferencePass(session, traffic, end, training).run(progress)
        elif depth > 1:
            PipelinedPass(session, traffic, pass_end, depth, asked).run(progress, between_steps)
        else:
            if not hiddens:
                hiddens = (asked.popleft() if asked else begin_forward(session, position))()
            if between_steps is not None and between_steps.wants(traffic):
                between_steps.visit(traffic)
            gradients = _fuse(session, position, hiddens)
            traffic.hidden_bytes += envelope_bytes(hiddens)
            traffic.gradient_bytes += envelope_bytes(gradients)
            hiddens = _backward(session, position, gradients)
            traffic.steps += 1
            traffic.exchanges += 1
            progress(traffic)
    return traffic


def _fuse(session: Session, position: int, hiddens: Sequence[pb.Envelope]) -> Sequence[pb.Envelope]:
    request = pb.FuseRequest(session=session.reference, position=position, hiddens=hiddens)
    reply: pb.FuseReply = session.label.call(session.label.stub.Fuse, request)
    return reply.gradients


def _backward(session: Session, position: int, gradients: Sequence[pb.Envelope]) -> list[pb.Envelope]:
    """Hands every feature party its gradients; the answers hold the hiddens of the next step, if there is one."""
    by_party = {envelope.receiver: envelope for envelope in gradients}
    requests = [
        (party, pb.BackwardRequest(session=session.reference, position=position, gradient=by_party.get(party.name)))
        for party in session.features
    ]
    if len(requests) == 1:
        party, request = requests[0]
        replies = [party.call(party.stub.Backward, request)]
    else:
        pending = [party.begin(party.stub.Backward, request) for party, request in requests]
        replies = [result() for result in pending]
    return [reply.next_hidden for reply in replies if reply.HasField("next_hidden")]


def _decide(session: Session, position: int, traffic: Traffic) -> bool:
    """Has the label party decide whether to go on, and tells the others what it sealed for them."""
    request = pb.DecideRequest(session=session.reference, position=position)
    reply: pb.DecideReply = session.label.call(session.label.stub.Decide, request)
    traffic.gradient_bytes += envelope_bytes(reply.decisions)
    by_party = {envelope.receiver: envelope for envelope in reply.decisions}
    pending = [
        party.begin(
            party.stub.Follow,
            pb.FollowRequest(session=session.reference, position=position, decision=by_party.get(party.name)),
        )
        for party in session.features
    ]
    for result in pending:
        result()
    return reply.stop
