"""Every tensor of every purpose leaves through the chain of its direction: a stage that marks each matrix proves it."""

from collections import Counter

import numpy as np
import pytest

from coordinator import connect
from party.channel import compose
from party.channel.encoded_matrix import EncodedMatrix
from party.channel.incoming_channel import IncomingChannel
from party.channel.matrix_encoding import MatrixEncoding
from party.channel.outgoing_channel import OutgoingChannel
from party.channel.outgoing_matrix import OutgoingMatrix
from party.cut.state import State
from party.pb.party_pb2 import MESSAGE_KIND_GRADIENT, MESSAGE_KIND_HIDDEN
from party.security.sealing import SealingKeys
from tests.support.cut_layouts import layout_of
from tests.support.organisations import make_frames

MARK = np.float32(2.0**-8)  # small enough to train on, and exact in every codec
INT8 = {"kind": "int8", "error_feedback": True}
TRAINING = {
    "epochs": 2,
    "batch_size": 62,
    "validation_fraction": 0.167,
    "early_stopping": {"metric": "val_loss", "patience": 2},
    "codecs": {"hidden": INT8, "gradient": INT8},
}
TENSORS = {MESSAGE_KIND_HIDDEN: "hidden", MESSAGE_KIND_GRADIENT: "gradient"}
PURPOSES = {
    "train": lambda parties: parties.fit(),
    "evaluate": lambda parties: parties.evaluate("test"),
    "predict": lambda parties: parties.predict("test"),
    "measure": lambda parties: parties.plan(),
}
LEAVES = {
    "train": {"hidden", "gradient"},
    "evaluate": {"hidden"},
    "predict": {"hidden"},
    "measure": {"hidden", "gradient"},
}


class Marking:
    """Puts the mark into the place of every value."""

    name = "mark"

    def init(self, layout, rows):
        return State()

    def apply(self, matrix, state, place):
        return OutgoingMatrix(np.full_like(matrix.values, MARK)), state


class Border:
    """Counts the sealed tensors of each kind, and those of them that arrive marked."""

    def __init__(self):
        # Lists, as parties answer in threads: adding to a counter would lose counts.
        self.sealed, self.opened, self.marked = [], [], []

    def guard(self, monkeypatch):
        seal, opened, stages_of = SealingKeys.seal, IncomingChannel.open, compose.stages_of

        def counting_seal(keys, slot, message):
            if slot.kind in TENSORS:
                self.sealed.append(TENSORS[slot.kind])
            return seal(keys, slot, message)

        def judging_open(channel, envelopes, place):
            received = opened(channel, envelopes, place)
            self.opened.append(TENSORS[received.slot.kind])
            if (received.values == MARK).all():
                self.marked.append(TENSORS[received.slot.kind])
            return received

        def with_mark(*arguments, **keywords):
            return (Marking(), *stages_of(*arguments, **keywords))

        monkeypatch.setattr(SealingKeys, "seal", counting_seal)
        monkeypatch.setattr(IncomingChannel, "open", judging_open)
        monkeypatch.setattr(compose, "stages_of", with_mark)


@pytest.fixture
def organisations(make_organisations):
    frames = make_frames(("alice", "bob", "charlie"), datasets=("train", "test"))
    made = make_organisations(names=("alice", "bob", "charlie"), frames=frames, training=TRAINING).start_servers()
    with connect(made.write_run()) as parties:
        parties.align()
    return made


def cross(organisations, monkeypatch, purposes=tuple(PURPOSES)):
    """What was sealed and what arrived marked, by purpose."""
    counts = {}
    with connect(organisations.run_path) as parties:
        for purpose in purposes:
            border = Border()
            with monkeypatch.context() as patches:
                border.guard(patches)
                PURPOSES[purpose](parties)
            counts[purpose] = tuple(map(Counter, (border.sealed, border.opened, border.marked)))
    return counts


def test_nothing_leaves_unmarked_whatever_its_purpose(organisations, monkeypatch):
    for purpose, (sealed, opened, marked) in cross(organisations, monkeypatch).items():
        assert set(sealed) == LEAVES[purpose], purpose
        # A session that measures may end with batches under way: what nobody opens is no question of the chain.
        assert sealed == marked or (purpose == "measure" and opened == marked), purpose


def test_a_way_around_the_chain_is_seen(organisations, monkeypatch):
    """Held-out rows, evaluation and prediction without the chain, as a shortcut would have it."""
    encode = OutgoingChannel.encode

    def shortcut(channel, matrix, place):
        if place.trains:
            return encode(channel, matrix, place)
        layout = layout_of([matrix.shape[1]])
        return EncodedMatrix(MatrixEncoding.exact(layout).encode(matrix, place.position))

    monkeypatch.setattr(OutgoingChannel, "encode", shortcut)
    counts = cross(organisations, monkeypatch, ("train", "evaluate", "predict"))
    for purpose, (sealed, _, marked) in counts.items():
        assert marked["hidden"] < sealed["hidden"], purpose
