"""Sealed messages: what was sealed opens, and nothing else does."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.channel.compose import ChannelSettings, feature_channels
from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.data.entities import OneToOne
from party.errors import SealError, SessionError, TensorError
from party.pb.party_pb2 import (
    MESSAGE_KIND_CONFIRM,
    MESSAGE_KIND_GRADIENT,
    MESSAGE_KIND_HIDDEN,
    Envelope,
)
from party.protocol.calls import CACHED_REPLIES, RepeatableCalls
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.feature_steps import FeatureSteps
from party.protocol.schedule import InferenceSchedule, TrainingSchedule
from party.protocol.timings import Timings
from party.security.sealing import MAXIMUM_FAILURES, NONCE_BYTES, TAG_BYTES, Slot
from tests.support.agreeing import NAMES, Meeting
from tests.support.messages import tensor_message

MESSAGE = b"forty-two bytes that only two may ever see"
SLOT = Slot("alice", "bob", MESSAGE_KIND_HIDDEN, "train", index=7, rows=32)
WRONG_PLACE = "bob: a relayed message stands in the wrong place"
BROKEN_SEAL = "bob: the seal of hidden 7 of train from alice to bob does not verify"
names = st.sampled_from(NAMES)
messages = st.binary(max_size=2000)
OTHER_PLACES = {
    "sender": "carol",
    "receiver": "carol",
    "kind": MESSAGE_KIND_GRADIENT,
    "dataset": "test",
    "index": 6,
}


@pytest.fixture
def keys():
    return Meeting().keys()


def slots(sender="alice", receiver="bob"):
    return st.builds(
        Slot,
        st.just(sender),
        st.just(receiver),
        st.sampled_from([MESSAGE_KIND_CONFIRM, MESSAGE_KIND_HIDDEN, MESSAGE_KIND_GRADIENT]),
        st.text(max_size=20),
        index=st.integers(0, 2**63),
        rows=st.integers(0, 2**63),
    )


SHARED_KEYS = Meeting().keys()


@given(slot=slots(), message=messages)
def test_what_was_sealed_opens(slot, message):
    envelope = SHARED_KEYS["alice"].seal(slot, message)
    relayed = Envelope.FromString(envelope.SerializeToString())
    assert SHARED_KEYS["bob"].open(slot, relayed) == message
    assert len(relayed.ciphertext) == len(message) + TAG_BYTES


@given(one=slots(), other=slots())
def test_places_differ_in_what_the_seal_authenticates(one, other):
    transcript = SHARED_KEYS["alice"].transcript
    assert (one.associated_data(transcript) == other.associated_data(transcript)) == (one == other)


def test_no_nonce_of_a_key_comes_twice(keys):
    """A key belongs to one sender and receiver; its nonces must differ, over all places and threads."""
    sealed = []
    lock = threading.Lock()

    def seal(number):
        receiver = ("bob", "carol")[number % 2]
        envelope = keys["alice"].seal(
            Slot("alice", receiver, MESSAGE_KIND_HIDDEN, "train", index=number % 5, rows=32), MESSAGE
        )
        with lock:
            sealed.append((receiver, envelope.nonce, envelope.ciphertext))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(seal, range(2000)))
    assert len({(receiver, nonce) for receiver, nonce, _ in sealed}) == len(sealed)
    assert len({ciphertext for _, _, ciphertext in sealed}) == len(sealed), "the same message never looks the same"
    assert {len(nonce) for _, nonce, _ in sealed} == {NONCE_BYTES}


def test_sessions_share_no_key():
    first, second = Meeting().keys(), Meeting().keys()
    one, other = first["alice"].seal(SLOT, MESSAGE), second["alice"].seal(SLOT, MESSAGE)
    assert one.nonce == other.nonce
    assert one.ciphertext != other.ciphertext


@settings(deadline=None)
@given(data=st.data())
def test_no_bit_of_nonce_ciphertext_or_tag_can_be_flipped(data):
    keys = Meeting().keys()
    envelope = keys["alice"].seal(SLOT, MESSAGE)
    start, length = data.draw(
        st.sampled_from([(-1, NONCE_BYTES), (0, len(MESSAGE)), (len(MESSAGE), TAG_BYTES)]), "nonce, ciphertext or tag"
    )
    bit = data.draw(st.integers(0, length * 8 - 1))
    altered = Envelope.FromString(envelope.SerializeToString())
    if start < 0:
        altered.nonce = flipped(envelope.nonce, bit)
    else:
        altered.ciphertext = flipped(envelope.ciphertext, start * 8 + bit)
    with pytest.raises(SealError, match=BROKEN_SEAL):
        keys["bob"].open(SLOT, altered)
    assert keys["bob"].open(SLOT, envelope) == MESSAGE


@given(change=st.sampled_from(["nonce", "ciphertext"]), length=st.integers(0, 80))
def test_no_other_length_opens(change, length):
    keys = Meeting().keys()
    envelope = keys["alice"].seal(SLOT, MESSAGE)
    original = getattr(envelope, change)
    altered = Envelope.FromString(envelope.SerializeToString())
    setattr(altered, change, (original + bytes(length))[:length])
    if getattr(altered, change) == original:
        assert keys["bob"].open(SLOT, altered) == MESSAGE
        return
    with pytest.raises(SealError, match=BROKEN_SEAL):
        keys["bob"].open(SLOT, altered)


@pytest.mark.parametrize("field", OTHER_PLACES)
def test_a_message_of_another_place_is_named(keys, field):
    other = dataclasses.replace(SLOT, **{field: OTHER_PLACES[field]})
    envelope = keys[other.sender].seal(other, MESSAGE)
    with pytest.raises(SealError, match=WRONG_PLACE) as caught:
        keys["bob"].open(SLOT, envelope)
    assert f"expected {SLOT}; received {other}" in str(caught.value)


@pytest.mark.parametrize("field", OTHER_PLACES)
def test_a_message_of_another_place_is_refused_also_where_its_label_is_forged(keys, field):
    """The plain fields of an envelope are only words: the seal is checked against what the receiver expects."""
    other = dataclasses.replace(SLOT, **{field: OTHER_PLACES[field]})
    envelope = keys[other.sender].seal(other, MESSAGE)
    setattr(envelope, field, getattr(SLOT, field))
    with pytest.raises(SealError, match=BROKEN_SEAL):
        keys["bob"].open(SLOT, envelope)


def test_a_message_of_other_rows_is_refused(keys):
    envelope = keys["alice"].seal(SLOT, MESSAGE)
    with pytest.raises(SealError, match="does not verify: altered, or sealed in another session or for 31 rows"):
        keys["bob"].open(dataclasses.replace(SLOT, rows=31), envelope)


def test_swapped_messages_of_two_parties_are_refused(keys):
    slots_by_sender = {name: dataclasses.replace(SLOT, sender=name) for name in ("alice", "carol")}
    envelopes = {name: keys[name].seal(slot, MESSAGE) for name, slot in slots_by_sender.items()}
    with pytest.raises(SealError, match=r"expected hidden 7 of train from alice .* received .* from carol to bob"):
        keys["bob"].open(slots_by_sender["alice"], envelopes["carol"])
    envelopes["carol"].sender = "alice"
    with pytest.raises(SealError, match=BROKEN_SEAL):
        keys["bob"].open(slots_by_sender["alice"], envelopes["carol"])


def test_a_message_cannot_be_reflected_to_its_sender(keys):
    back = dataclasses.replace(SLOT, sender="bob", receiver="alice")
    envelope = keys["alice"].seal(SLOT, MESSAGE)
    with pytest.raises(SealError, match="wrong place"):
        keys["alice"].open(back, envelope)
    envelope.sender, envelope.receiver = "bob", "alice"
    with pytest.raises(SealError, match="the seal of hidden 7 of train from bob to alice does not verify"):
        keys["alice"].open(back, envelope)


def test_a_message_of_another_session_is_refused(keys):
    replayed = Meeting().keys()["alice"].seal(SLOT, MESSAGE)
    with pytest.raises(SealError, match="sealed in another session"):
        keys["bob"].open(SLOT, replayed)


def test_an_error_repeats_nothing_that_could_forge_a_log(keys):
    strange = Envelope(sender="a\nline", receiver="bob", dataset="x\x1b[2J" * 1000, kind=MESSAGE_KIND_HIDDEN, index=7)
    with pytest.raises(SealError, match="wrong place") as caught:
        keys["bob"].open(SLOT, strange)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("kind", [99, 2**31 - 1, -1])
def test_an_unknown_kind_is_refused_by_name(keys, kind):
    """The kind of a message of an alignment comes from the request: it may be any number."""
    envelope = Envelope(sender="alice", receiver="bob", dataset="train", kind=kind, index=7, nonce=bytes(12))
    with pytest.raises(SealError, match="unknown kind"):
        keys["bob"].open(SLOT, envelope)
    with pytest.raises(SealError, match="unknown kind"):
        keys["bob"].open(dataclasses.replace(SLOT, kind=kind), envelope)


def test_a_message_of_nobody_is_refused_by_name(keys):
    envelope = Envelope(sender="mallory", receiver="bob", dataset="train", kind=MESSAGE_KIND_HIDDEN, index=7)
    envelope.nonce = bytes(NONCE_BYTES)
    with pytest.raises(SealError, match="mallory"):
        keys["bob"].open(dataclasses.replace(SLOT, sender="mallory"), envelope)


def test_the_third_failure_exhausts_the_keys(keys):
    envelope = keys["alice"].seal(SLOT, MESSAGE)
    altered, moved = Envelope(), Envelope()
    altered.CopyFrom(envelope)
    altered.ciphertext = flipped(altered.ciphertext, 0)
    moved.CopyFrom(envelope)
    moved.index += 1
    for number in range(MAXIMUM_FAILURES):
        assert not keys["bob"].exhausted, f"after {number} failures"
        with pytest.raises(SealError):
            keys["bob"].open(SLOT, altered if number % 2 else moved)
        assert keys["bob"].open(SLOT, envelope) == MESSAGE
    assert keys["bob"].exhausted
    assert not keys["alice"].exhausted


def flipped(data, bit):
    content = bytearray(data)
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


class Identity:
    """A base model that sends its row numbers and adds up the gradients that it gets."""

    layout = CutLayout([HiddenSpec("rows", 1, Aggregation.CONCAT)])

    def __init__(self):
        self.total = 0.0

    def infer(self, rows):
        return np.float32(rows)[:, None]

    forward = infer

    def backward(self, gradients):
        self.total += float(gradients.sum())

    def backward_and_forward(self, gradients, next_rows):
        self.backward(gradients)
        return self.forward(next_rows)


def exchanges_of(schedule, keys, dataset):
    """A feature party's exchanges."""
    base, timings = Identity(), Timings(lambda: 0.0)
    settings = ChannelSettings(party="alice", label_party="bob", dataset=dataset, rows=12)
    channels = feature_channels(settings, base.layout, keys["alice"])
    steps = FeatureSteps(base, channels.hiddens, timings)
    return FeatureExchanges("alice", schedule, channels, entities=OneToOne(12), base=base, timings=timings, steps=steps)


class TestFeatureParty:
    """What a feature party does with a bad gradient: nothing."""

    ROWS = 12

    @pytest.fixture
    def exchanges(self, keys, training):
        schedule = TrainingSchedule(training, self.ROWS, bytes(32))
        return exchanges_of(schedule, keys, "train")

    @pytest.fixture
    def training(self):
        from party.configuration.run import TrainingSection  # noqa: PLC0415

        return TrainingSection(batch_size=4, epochs=1)

    def gradient(self, keys, position, value=1.0, rows=4):
        slot = Slot("bob", "alice", MESSAGE_KIND_GRADIENT, "train", index=position, rows=rows)
        return keys["bob"].seal(slot, tensor_message(np.full((rows, 1), value)))

    @pytest.mark.parametrize("lie", ["altered", "of the next step", "of other rows", "of another dataset", "reflected"])
    def test_a_bad_gradient_changes_nothing(self, exchanges, keys, lie):
        hidden = exchanges.forward(0)
        good = self.gradient(keys, 0)
        if lie == "altered":
            bad = Envelope.FromString(good.SerializeToString())
            bad.ciphertext = flipped(bad.ciphertext, 100)
        elif lie == "of the next step":
            bad = self.gradient(keys, 1)
        elif lie == "of other rows":
            bad = self.gradient(keys, 0, rows=3)
        elif lie == "of another dataset":
            slot = Slot("bob", "alice", MESSAGE_KIND_GRADIENT, "test", index=0, rows=4)
            bad = keys["bob"].seal(slot, b"")
        else:
            bad = hidden
        with pytest.raises(SealError):
            exchanges.backward(0, bad)
        assert (exchanges.position, exchanges.awaits_gradient, exchanges._base.total) == (0, True, 0.0)
        following = exchanges.backward(0, good)
        assert (exchanges.position, exchanges.awaits_gradient, exchanges._base.total) == (1, True, 4.0)
        assert following.index == 1

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_gradient_that_is_not_finite_changes_nothing(self, exchanges, keys, value):
        exchanges.forward(0)
        with pytest.raises(TensorError, match=r"gradient 0 of train from bob to alice: .* not finite"):
            exchanges.backward(0, self.gradient(keys, 0, value))
        assert (exchanges.position, exchanges.awaits_gradient, exchanges._base.total) == (0, True, 0.0)

    def test_a_gradient_cannot_be_taken_twice(self, exchanges, keys):
        exchanges.forward(0)
        gradient = self.gradient(keys, 0)
        exchanges.backward(0, gradient)
        with pytest.raises(SessionError, match="expected Backward 1; received Backward 0"):
            exchanges.backward(0, gradient)
        with pytest.raises(SealError, match="wrong place"):
            exchanges.backward(1, gradient)
        gradient.index = 1
        with pytest.raises(SealError, match="does not verify"):
            exchanges.backward(1, gradient)
        assert exchanges._base.total == 4.0

    def test_a_batch_cannot_be_asked_for_out_of_turn(self, exchanges, keys):
        for position in (1, 2, 3, 2**40):
            with pytest.raises(SessionError, match="alice: call out of order; expected Forward 0"):
                exchanges.forward(position)
        exchanges.forward(0)
        with pytest.raises(SessionError, match="expected Backward 0; received Forward 0"):
            exchanges.forward(0)


def test_inference_goes_once_through_the_rows(keys):
    exchanges = exchanges_of(InferenceSchedule(10, 4), keys, "test")
    for position, rows in enumerate((4, 4, 2)):
        envelope = exchanges.forward(position)
        slot = Slot("alice", "bob", MESSAGE_KIND_HIDDEN, "test", index=position, rows=rows)
        assert keys["bob"].open(slot, envelope)
        with pytest.raises(SessionError, match=f"received Forward {position}"):
            exchanges.forward(position)


class TestRepeatableCalls:
    def test_a_repeated_call_gets_the_same_bytes_and_seals_nothing_anew(self, keys):
        calls = RepeatableCalls("alice")
        computed = []

        def compute():
            computed.append(1)
            return keys["alice"].seal(SLOT, MESSAGE).SerializeToString()

        first = calls.answer(("Forward", 7), b"request", compute)
        assert calls.answer(("Forward", 7), b"request", compute) == first
        assert len(computed) == 1
        assert keys["alice"].seal(SLOT, MESSAGE).nonce == (2).to_bytes(NONCE_BYTES, "big")

    @pytest.mark.parametrize("second", [b"request ", b"", b"Request"])
    def test_another_request_in_the_place_of_an_answered_one_is_equivocation(self, second):
        calls = RepeatableCalls("alice")
        calls.answer(("Backward", 7), b"request", lambda: b"reply")
        with pytest.raises(SessionError, match=r"alice: EQUIVOCATION: call Backward 7 was repeated"):
            calls.answer(("Backward", 7), second, lambda: pytest.fail("computed"))
        assert calls.answer(("Backward", 7), b"request", lambda: pytest.fail("computed")) == b"reply"

    def test_a_failed_call_may_be_corrected(self):
        calls = RepeatableCalls("alice")
        with pytest.raises(SealError):
            calls.answer("call", b"bad", raises(SealError("altered")))
        assert calls.answer("call", b"good", lambda: b"reply") == b"reply"

    def test_only_the_latest_replies_are_kept(self):
        calls = RepeatableCalls("alice")
        for number in range(CACHED_REPLIES + 1):
            calls.answer(("Fuse", number), b"", lambda number=number: bytes([number]))
        assert calls.answer(("Fuse", 1), b"", lambda: pytest.fail("computed")) == b"\1"
        assert calls.answer(("Fuse", 0), b"other", lambda: b"computed anew") == b"computed anew"

    def test_calls_wait_for_each_other(self):
        """Two identical calls at the same time are computed once."""
        calls = RepeatableCalls("alice")
        computed = []
        barrier = threading.Barrier(8)

        def call(_):
            barrier.wait()
            return calls.answer("call", b"request", lambda: computed.append(1) or b"%d" % len(computed))

        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(call, range(8))) == {b"1"}


def raises(error):
    def compute():
        raise error

    return compute
