"""The loop over the batches of a session, readable as the protocol."""

from __future__ import annotations

from collections.abc import Sequence

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
    hiddens: Sequence[pb.Envelope] = ()
    training = False
    depth = session.run.training.schedule.batches_under_way
    while traffic.exchanges < session.exchanges:
        position = traffic.exchanges
        pass_end = session.pass_end(position)
        if depth > 1 and pass_end is not None:
            PipelinedPass(session, traffic, pass_end, depth).run(progress, between_steps)
            hiddens = ()
            continue
        if position in session.decisions:
            stop = _decide(session, position, traffic)
            hiddens = ()
            traffic.exchanges += 1
            progress(traffic)
            if stop:
                break
            continue
        if not hiddens:
            hiddens, training = _forward(session, position)
        if training:
            if between_steps is not None and between_steps.wants(traffic):
                between_steps.visit(traffic)
            gradients = _fuse(session, position, hiddens)
            traffic.hidden_bytes += envelope_bytes(hiddens)
            traffic.gradient_bytes += envelope_bytes(gradients)
            hiddens = _backward(session, position, gradients)
            traffic.steps += 1
        else:
            traffic.hidden_bytes += envelope_bytes(hiddens)
            hiddens, training = _infer(session, position, hiddens)
        traffic.exchanges += 1
        progress(traffic)
    return traffic


def _forward(session: Session, position: int) -> tuple[list[pb.Envelope], bool]:
    """Hiddens of a batch from every feature party, and whether gradients are to follow."""
    request = pb.ForwardRequest(session=session.reference, position=position)
    pending = [party.begin(party.stub.Forward, request) for party in session.features]
    replies = [result() for result in pending]
    return [reply.hidden for reply in replies], any(reply.training for reply in replies)


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


def _infer(session: Session, position: int, hiddens: Sequence[pb.Envelope]) -> tuple[Sequence[pb.Envelope], bool]:
    """Fuses a batch outside of training while the feature parties already compute the next one."""
    request = pb.FuseRequest(session=session.reference, position=position, hiddens=hiddens)
    fused = session.label.begin(session.label.stub.Fuse, request)
    following: tuple[Sequence[pb.Envelope], bool] = ((), False)
    pipelined = session.run.training.schedule.batches_under_way > 1 and session.pass_end(position + 1) is not None
    if position + 1 < session.exchanges and position + 1 not in session.decisions and not pipelined:
        following = _forward(session, position + 1)
    fused()
    return following


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
