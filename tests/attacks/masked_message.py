"""A label party tries to read one feature party's hiddens off its masked messages, with every key that it has.

It takes part in the handshake like any other party, so it derives with each peer whatever it likes: secrets of masks,
keys of seals and of digests. From each of them it makes the pads that it would be, and adds and subtracts all pairs of
them. A message counts as read if one of the results is the hiddens in fixed point, and as told on if its bytes are not
uniform. The same program with the secret of the two feature parties, which it cannot have, reads every message.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest

from coordinator import connect
from party.channel.codecs.ring import ring_array
from party.channel.decoders import SumDecoder
from party.pb.tensor_pb2 import Tensor
from party.privacy.pads import pad
from party.privacy.ring import Ring
from party.protocol.feature_steps import FeatureSteps
from party.security.handshake import Handshake
from tests.attacks.outcome import Outcome
from tests.support.organisations import SMALL_MODEL, Organisations
from tests.support.uniformity import MOST_CHI_SQUARE, chi_square

NAMES = ("alice", "bob", "charlie")
ATTACKER, VICTIM, OTHER = "bob", "alice", "charlie"
TRAINING = {"epochs": 1, "batch_size": 64, "secure_aggregation": True}


@dataclass
class Loot:
    """What the label party has after a run, and what the judge knows besides.

    Attributes:
        handshakes: of all parties; the attacker uses its own alone.
        messages: by position, the opened messages of all feature parties.
        truth: the victim's hiddens in fixed point, in the order of the positions.
    """

    handshakes: dict = field(default_factory=dict)
    messages: dict = field(default_factory=dict)
    truth: list = field(default_factory=list)


def attack(folder, seed):
    """Plays the attack in a run of three parties."""
    loot = run(folder, seed)
    read, told = read_messages(loot, guesses(loot.handshakes[ATTACKER]))
    secret = loot.handshakes[VICTIM].mask_secret(OTHER)
    control, _ = read_messages(loot, [secret])
    total = len(loot.messages)
    return Outcome(
        asset="one feature party's hiddens at the label party of a masked sum",
        before="all of them: every message was plain",
        now=f"{read} of {total} messages, {told} not uniform; with the feature parties' secret {control} of {total}",
        held=read == told == 0 and control == total,
    )


def run(folder, seed):
    """A run, with what its label party could have kept of it."""
    loot = Loot()
    authenticate, decode, encode = Handshake.authenticate, SumDecoder.decode, FeatureSteps.encode

    def keep_handshake(handshake, signatures):
        loot.handshakes[handshake._own.party] = handshake
        return authenticate(handshake, signatures)

    def keep_messages(decoder, opened, place):
        tensors = {one.slot.sender: Tensor.FromString(one.content) for one in opened}
        loot.messages[place.position] = {
            sender: ring_array(tensor.data, *tensor.shape) for sender, tensor in tensors.items()
        }
        return decode(decoder, opened, place)

    def keep_truth(steps, batch, hiddens):
        loot.truth.append(Ring(2).encode(hiddens, "here"))
        return encode(steps, batch, hiddens)

    overrides = {name: {"model": {**SMALL_MODEL, "cut_units": 16}} for name in NAMES}
    with (
        pytest.MonkeyPatch.context() as patch,
        Organisations(folder, names=NAMES, training={**TRAINING, "seed": seed}, overrides=overrides) as organisations,
    ):
        organisations.start_servers()
        with connect(organisations.write_run()) as parties:
            parties.align()
            patch.setattr(Handshake, "authenticate", keep_handshake)
            patch.setattr(SumDecoder, "decode", keep_messages)
            patch.setattr(FeatureSteps, "encode", keep_truth)
            parties.fit()
    return loot


def guesses(handshake):
    """Every secret of 32 bytes that the attacker derives with its peers."""
    labels = (b"vsl/1 mask\0", b"vsl/1 pair\0", b"vsl/1 seal\0")
    names = list(itertools.permutations(NAMES, 2))
    derived = {
        handshake._derive(peer, label, first, second)
        for peer in (VICTIM, OTHER)
        for label in labels
        for first, second in names
    }
    return sorted({*derived, handshake.transcript, bytes(32)})


def read_messages(loot, secrets):
    """How many of the victim's messages are read, and how many are not uniform, by any two of the secrets' pads."""
    read = told = 0
    hiddens = {one.tobytes() for one in loot.truth}
    for position, messages in loot.messages.items():
        message = messages[VICTIM]
        pads = [pad(secret, position, *message.shape) for secret in secrets]
        shifts = [shift for one in pads for shift in (one, -one)]
        shifts += [one + other for one, other in itertools.combinations(shifts, 2)]
        results = [message + shift for shift in [np.zeros_like(message), *shifts]]
        read += any(one.tobytes() in hiddens for one in results)
        told += any(chi_square(one.tobytes()) > MOST_CHI_SQUARE for one in results)
    return read, told
