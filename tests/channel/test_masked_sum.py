"""Masked messages of the channels: their sum is exact, a checkpoint's message is masked anew in every session."""

import hashlib
import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from party.channel.compose import FEATURE_PARTIES, ChannelSettings, feature_channels, label_channels
from party.channel.place import Place
from party.errors import SealError, SessionLostError, TensorError
from party.pb.party_pb2 import MESSAGE_KIND_HIDDEN
from party.pb.tensor_pb2 import CODEC_RING, Tensor
from party.security.sealing import Slot
from tests.support.cut_layouts import layout_of
from tests.support.messages import tensor_message
from tests.support.numpy_models import LABEL_PARTY, make_keys

LAYOUT = layout_of([6, 1])
ROWS = 16
PARTIES = ("alice", "charlie", "dora")
SCALE = 1 << 16


@dataclass
class MaskedSession:
    """The channels of all parties in one session; each session has secrets of its own."""

    number: int = 1

    def __post_init__(self):
        shared = {"label_party": LABEL_PARTY, "dataset": "train", "rows": ROWS, "masked": PARTIES}
        self.keys = make_keys(PARTIES)
        pairs = {
            pair: hashlib.sha256(repr((self.number, pair)).encode()).digest()
            for pair in itertools.combinations(PARTIES, 2)
        }
        self.features = {
            one: feature_channels(
                ChannelSettings(party=one, **shared),
                LAYOUT,
                self.keys[one],
                {other: pairs[tuple(sorted((one, other)))] for other in PARTIES if other != one},
            )
            for one in PARTIES
        }
        label = ChannelSettings(party=LABEL_PARTY, **shared)
        self.label = label_channels(label, dict.fromkeys(PARTIES, LAYOUT), self.keys[LABEL_PARTY])

    def send(self, values, where):
        return [self.features[one].hiddens.send(values[one], where) for one in PARTIES]

    def receive(self, envelopes, where):
        channel = self.label.hiddens[FEATURE_PARTIES]
        received = channel.open(envelopes, where)
        channel.accept(received, where)
        return received


def place(position=0, trains=True):
    return Place(position, np.arange(ROWS, dtype=np.int32), trains)


def values(seed=0):
    generator = np.random.default_rng(seed)
    return {one: generator.normal(size=(ROWS, LAYOUT.columns)).astype(np.float32) for one in PARTIES}


def exact_sum(given):
    total = sum(np.vectorize(lambda value: round(float(value) * SCALE), otypes=[object])(one) for one in given.values())
    return (total / SCALE).astype(np.float32)


@pytest.mark.parametrize("trains", [True, False])
def test_the_label_party_gets_the_sum_to_the_bit(trains):
    session = MaskedSession()
    for position in range(3):
        given = values(position)
        received = session.receive(session.send(given, place(position, trains)), place(position, trains))
        np.testing.assert_array_equal(received.values, exact_sum(given))
        assert received.slot.sender == "alice + charlie + dora"


def test_one_matrix_stands_for_all_feature_parties_and_each_gets_its_own_gradients():
    channels = MaskedSession().label
    assert list(channels.hiddens) == [FEATURE_PARTIES]
    assert channels.matrices == dict.fromkeys(PARTIES, FEATURE_PARTIES)
    assert list(channels.gradients) == list(channels.decisions) == list(PARTIES)


def test_a_message_is_masked_anew_in_every_session_and_its_sum_stays():
    sessions, given = (MaskedSession(1), MaskedSession(2)), values()
    encoded = {one: sessions[0].features[one].hiddens.encode(given[one], place()) for one in PARTIES}
    sealed = [
        [session.features[one].hiddens.envelope(encoded[one], place()) for one in PARTIES] for session in sessions
    ]
    sums = [session.receive(envelopes, place()) for session, envelopes in zip(sessions, sealed, strict=True)]
    assert sums[0].message == sums[1].message, "what the label party compares after a rollback"
    np.testing.assert_array_equal(sums[0].values, exact_sum(given))
    for number, one in enumerate(PARTIES):
        slot = Slot(one, LABEL_PARTY, MESSAGE_KIND_HIDDEN, "train", index=0, rows=ROWS)
        plain = ring_values(encoded[one].content)  # what checkpoints hold
        np.testing.assert_array_equal(plain, np.rint(given[one].astype(np.float64) * SCALE))
        masked = [
            ring_values(session.keys[LABEL_PARTY].open(slot, envelopes[number]))
            for session, envelopes in zip(sessions, sealed, strict=True)
        ]
        assert (masked[0] != plain).mean() > 0.99
        assert (masked[0] != masked[1]).mean() > 0.99


def ring_values(message):
    return np.frombuffer(Tensor.FromString(message).data, "<i4").reshape(ROWS, -1)


def test_no_position_leaves_twice_in_a_session():
    session, given = MaskedSession(), values()
    session.send(given, place(1))
    for position in (1, 0):
        with pytest.raises(SessionLostError, match="no pad serves two messages"):
            session.features["alice"].hiddens.send(given["alice"], place(position))


def test_a_value_that_could_overflow_the_sum_does_not_leave():
    session, given = MaskedSession(), values()
    given["alice"][3, 2] = 2.0**15 / len(PARTIES) + 1
    with pytest.raises(
        TensorError, match="own tensors of exchange 0: holds values that are too large for a masked sum"
    ):
        session.send(given, place())


@pytest.mark.parametrize("wrong", ["altered", "plain float32", "short"])
def test_a_wrong_message_is_refused_and_the_right_one_still_works(wrong):
    session, given = MaskedSession(), values()
    envelopes = session.send(given, place())
    slot = Slot("charlie", LABEL_PARTY, MESSAGE_KIND_HIDDEN, "train", index=0, rows=ROWS)
    keys = session.keys["charlie"]
    bad, error = {
        "altered": (envelopes[0], SealError),
        "plain float32": (keys.seal(slot, tensor_message(given["charlie"])), TensorError),
        "short": (keys.seal(slot, tensor_message(given["charlie"][:2], codec=CODEC_RING)), TensorError),
    }[wrong]
    with pytest.raises(error):
        session.receive([envelopes[0], bad, envelopes[2]], place())
    np.testing.assert_array_equal(session.receive(envelopes, place()).values, exact_sum(given))


def test_a_feature_party_without_all_secrets_makes_no_channel():
    settings = ChannelSettings(party="alice", label_party=LABEL_PARTY, dataset="train", rows=ROWS, masked=PARTIES)
    with pytest.raises(RuntimeError, match="a secret with every other feature party"):
        feature_channels(settings, LAYOUT, make_keys(PARTIES)["alice"], {"charlie": bytes(32)})
