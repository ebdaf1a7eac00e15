"""The loop over the batches of a session, readable as the protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coordinator.session import Session
from party.pb import party_pb2 as pb

Progress = Callable[["Traffic"], None]


@dataclass
class Traffic:
    """What went through the coordinator so far.

    Attributes:
        exchanges: batches of the session's schedule, of training or not.
        steps: batches of training.
        message_bytes: of the messages between parties, each counted once though it travels two hops.
    """

    exchanges: int = 0
    steps: int = 0
    message_bytes: int = 0


def run_exchanges(session: Session, progress: Progress, between_steps: Progress | None = None) -> Traffic:
    """Sends every batch of a session through all parties, from the one that it begins with.

    Args:
        session: opened for training, evaluation or prediction.
        progress: told after every batch.
        between_steps: called while every party stands between two batches of training.

    Returns:
        What went through.
    """
    traffic = Traffic(session.position, session.start.step)
    hiddens: Sequence[pb.Envelope] = ()
    training = False
    while traffic.exchanges < session.exchanges:
        position = traffic.exchanges
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
            if between_steps is not None:
                between_steps(traffic)
            gradients = _fuse(session, position, hiddens)
            traffic.message_bytes += _bytes(hiddens) + _bytes(gradients)
            hiddens = _backward(session, position, gradients)
            traffic.steps += 1
        else:
            traffic.message_bytes += _bytes(hiddens)
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
    if position + 1 < session.exchanges and position + 1 not in session.decisions:
        following = _forward(session, position + 1)
    fused()
    return following


def _decide(session: Session, position: int, traffic: Traffic) -> bool:
    """Has the label party decide whether to go on, and tells the others what it sealed for them."""
    request = pb.DecideRequest(session=session.reference, position=position)
    reply: pb.DecideReply = session.label.call(session.label.stub.Decide, request)
    traffic.message_bytes += _bytes(reply.decisions)
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


def _bytes(envelopes: Sequence[pb.Envelope]) -> int:
    return sum(envelope.ByteSize() for envelope in envelopes)
