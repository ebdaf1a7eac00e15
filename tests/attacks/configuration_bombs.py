"""A coordinator whose run configuration is made to take a party's time, memory or log."""

import time

import grpc

from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import PURPOSE_TRAIN
from tests.attacks.outcome import Outcome
from tests.support.bombs import BOMBS, LONGEST_TEXT
from tests.support.calling import channel_to
from tests.support.organisations import Organisations

TIMEOUT_SECONDS = 300
GOAL_SECONDS = 0.1


def open_request(configuration):
    session = pb.SessionReference(run_id=bytes(16), lease=bytes(32), incarnation=bytes(16))
    return pb.OpenRequest(session=session, purpose=PURPOSE_TRAIN, configuration=configuration).SerializeToString()


def refusal(channel, configuration):
    """What a party answers to an Open, as status, text and seconds; None in the status where it opens."""
    begin_seconds = time.monotonic()
    try:
        channel.unary_unary("/split.v1.Party/Open")(open_request(configuration), timeout=TIMEOUT_SECONDS)
    except grpc.RpcError as error:
        return error.code(), error.details(), time.monotonic() - begin_seconds
    return None, "", time.monotonic() - begin_seconds


def attack(folder, seed):
    """Sends every bomb, and says how long the slowest refusal took."""
    with Organisations(folder, training={"seed": seed}) as organisations:
        organisations.start()
        with channel_to(organisations, "alice") as channel:
            refusal(channel, b"{}")  # the connection, and what a first refusal imports, are not the attacker's doing
            answers = {name: refusal(channel, bomb) for name, bomb in BOMBS.items()}
    refused = all(status is grpc.StatusCode.INVALID_ARGUMENT for status, _, _ in answers.values())
    slowest = max(answers, key=lambda name: answers[name][2])
    longest = max(len(text) for _, text, _ in answers.values())
    return Outcome(
        asset="a party's time and memory",
        before="177 s and 600 MB for 1,000 boundaries; 40 MB of error text",
        now=f"{len(BOMBS)} refused, {answers[slowest][2]:.3f} s at most ({slowest}), text of {longest}",
        held=refused and answers[slowest][2] < GOAL_SECONDS and longest <= LONGEST_TEXT,
    )
