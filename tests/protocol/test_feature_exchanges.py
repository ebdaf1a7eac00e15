from dataclasses import replace

import numpy as np
import pytest

from party.channel.matrix_encoding import MatrixEncoding
from party.configuration.run import CodecSection, CodecsSection, ScheduleSection
from party.data.entities import OneToOne
from party.errors import InternalError, SealError, SessionError, TensorError
from party.pb.party_pb2 import MessageKind
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.feature_steps import FeatureSteps
from party.security.sealing import Slot
from tests.support.messages import tensor_message
from tests.support.numpy_models import (
    LABEL_PARTY,
    LAYOUT,
    NumpyBase,
    channels_of,
    inference_schedule,
    make_data,
    make_keys,
    make_timings,
    training_schedule,
)

PARTY = "shop"
PLAIN = MatrixEncoding.exact(LAYOUT)
HIDDEN, GRADIENT = MessageKind.MESSAGE_KIND_HIDDEN, MessageKind.MESSAGE_KIND_GRADIENT


class Driven:
    """A feature party's exchanges, and the label party's hand that answers them."""

    def __init__(self, schedule=None, **training):
        self.schedule = schedule or training_schedule()
        inputs, _ = make_data([PARTY], 23)
        self.base = NumpyBase(inputs[PARTY])
        self.keys = make_keys([PARTY])
        channels, timings = channels_of(self.keys[PARTY], PARTY, **training), make_timings()
        self.exchanges = FeatureExchanges(
            PARTY,
            self.schedule,
            channels,
            entities=OneToOne(23),
            base=self.base,
            timings=timings,
            steps=FeatureSteps(self.base, channels.hiddens, timings),
        )

    def open(self, envelope, position):
        exchange = self.schedule.exchange(position)
        slot = Slot(PARTY, LABEL_PARTY, HIDDEN, "train", index=position, rows=exchange.rows)
        return PLAIN.decode(self.keys[LABEL_PARTY].open(slot, envelope), exchange.rows, position, "test")

    def gradient(self, position, value=1.0, rows=None, kind=GRADIENT):
        exchange = self.schedule.exchange(position)
        array = np.full((rows or exchange.rows, 1), value, np.float32)
        slot = Slot(LABEL_PARTY, PARTY, kind, "train", index=position, rows=exchange.rows)
        return self.keys[LABEL_PARTY].seal(slot, tensor_message(array))

    def refused(self, error, call, *arguments):
        """A call that is refused and changes nothing."""
        before = (self.base.weights.tobytes(), list(self.base.calls), self.exchanges.position)
        with pytest.raises(error) as caught:
            call(*arguments)
        assert (self.base.weights.tobytes(), self.base.calls, self.exchanges.position) == before
        return str(caught.value)


def test_whole_run_sends_every_hidden_once_and_in_order():
    driven = Driven()
    schedule, exchanges = driven.schedule, driven.exchanges
    envelope, steps = None, 0
    for position in range(schedule.exchanges):
        assert not exchanges.finished
        assert exchanges.step == steps
        exchange = schedule.exchange(position)
        if envelope is None:
            envelope = exchanges.forward(position)
        expected = driven.base.inputs[schedule.rows(exchange)] @ driven.base.weights
        np.testing.assert_array_equal(driven.open(envelope, position), expected)
        assert exchanges.awaits_gradient == (exchange.activity.value == "train")
        steps += exchanges.awaits_gradient
        envelope = exchanges.backward(position, driven.gradient(position)) if exchanges.awaits_gradient else None
    assert exchanges.finished
    assert envelope is None
    assert exchanges.step == steps == schedule.steps
    assert driven.base.calls.count("infer") == schedule.exchanges - schedule.steps


def test_backward_brings_the_next_hidden_only_within_training():
    driven = Driven(
        training_schedule(epochs=2, validation_fraction=0.3, batch_size=9)
    )  # 17 rows: 9, 8, then 6 held out
    exchanges = driven.exchanges
    exchanges.forward(0)
    assert exchanges.backward(0, driven.gradient(0)) is not None
    assert exchanges.backward(1, driven.gradient(1)) is None  # validation follows
    assert driven.base.waiting is None
    exchanges.forward(2)
    exchanges.forward(3)
    assert driven.schedule.exchange(4).activity.value == "train"
    exchanges.forward(4)
    exchanges.backward(4, driven.gradient(4))
    assert exchanges.backward(5, driven.gradient(5)) is None


def test_run_without_validation_goes_from_epoch_to_epoch():
    driven = Driven(training_schedule(validation_fraction=0.0, epochs=2, batch_size=23))
    driven.exchanges.forward(0)
    assert driven.exchanges.backward(0, driven.gradient(0)) is not None
    assert driven.exchanges.backward(1, driven.gradient(1)) is None
    assert driven.exchanges.finished


def test_calls_out_of_order_are_refused():
    driven = Driven()
    exchanges = driven.exchanges
    text = driven.refused(SessionError, exchanges.backward, 0, driven.gradient(0))
    assert text == "shop: call out of order; expected Forward 0; received Backward 0"
    assert "received Forward 1" in driven.refused(SessionError, exchanges.forward, 1)
    exchanges.forward(0)
    text = driven.refused(SessionError, exchanges.forward, 0)
    assert text == "shop: call out of order; expected Backward 0; received Forward 0"
    driven.refused(SessionError, exchanges.forward, 1)
    driven.refused(SessionError, exchanges.backward, 1, driven.gradient(1))
    exchanges.backward(0, driven.gradient(0))
    driven.refused(SessionError, exchanges.backward, 0, driven.gradient(0))
    driven.refused(SessionError, exchanges.forward, 1)


def test_nothing_follows_the_last_exchange():
    driven = Driven(training_schedule(validation_fraction=0.0, epochs=1, batch_size=23))
    driven.exchanges.forward(0)
    driven.exchanges.backward(0, driven.gradient(0))
    assert "expected nothing more" in driven.refused(SessionError, driven.exchanges.forward, 1)
    driven.refused(SessionError, driven.exchanges.backward, 1, driven.gradient(0))


@pytest.mark.parametrize("wrong", ["altered", "of another step", "of another kind", "of another size", "not finite"])
def test_gradient_that_is_refused_changes_nothing_and_the_right_one_still_works(wrong):
    driven, right = Driven(), Driven()
    for one in (driven, right):
        one.exchanges.forward(0)
    gradient, error = driven.gradient(0), SealError
    if wrong == "altered":
        gradient.ciphertext = bytes([gradient.ciphertext[0] ^ 1]) + gradient.ciphertext[1:]
    elif wrong == "of another step":
        gradient = driven.gradient(1)
    elif wrong == "of another kind":
        gradient = driven.gradient(0, kind=HIDDEN)
    elif wrong == "of another size":
        gradient, error = driven.gradient(0, rows=3), TensorError
    else:
        gradient, error = driven.gradient(0, value=np.nan), TensorError
    driven.refused(error, driven.exchanges.backward, 0, gradient)
    assert driven.exchanges.awaits_gradient
    one = driven.open(driven.exchanges.backward(0, driven.gradient(0)), 1)
    np.testing.assert_array_equal(one, right.open(right.exchanges.backward(0, right.gradient(0)), 1))


def test_inference_needs_no_gradients():
    schedule = inference_schedule()
    driven = Driven(schedule)
    scores = [driven.open(driven.exchanges.forward(position), position) for position in range(schedule.exchanges)]
    np.testing.assert_array_equal(np.concatenate(scores), driven.base.inputs @ driven.base.weights)
    assert driven.exchanges.finished
    assert set(driven.base.calls) == {"infer"}
    driven.refused(SessionError, driven.exchanges.backward, 0, driven.gradient(0))


class Failing:
    """Local steps that fail."""

    def after(self, exchange, hiddens, gradients):
        raise InternalError("out of memory")


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("failing", ["codec", "local steps"])
def test_no_batch_is_sent_twice_where_something_fails_after_the_update(depth, failing):
    """A label party that makes it fail must not see the same batch at other weights."""
    schedule = training_schedule(
        validation_fraction=0.0, batch_size=4, schedule=ScheduleSection(kind="pipelined", depth=depth)
    )
    codecs = CodecsSection(hidden=CodecSection(kind="float16"))
    driven = Driven(schedule, codecs=codecs, largest_training_batch=4) if failing == "codec" else Driven(schedule)
    exchanges = driven.exchanges
    driven.base.forward, driven.base.waiting = driven.base.infer, driven.schedule.rows(schedule.exchange(0))
    sent = [exchanges.forward(position) for position in range(depth)]
    if failing == "codec":
        driven.base.backward_and_forward = lambda gradients, rows: np.full((len(rows), 1), np.nan, np.float32)
    else:
        exchanges._steps._local_steps = Failing()
        exchanges._steps._under_way[0] = replace(exchanges._steps._under_way[0], hiddens=np.zeros((4, 1), np.float32))
    with pytest.raises((TensorError, InternalError)):
        exchanges.backward(0, driven.gradient(0))
    assert exchanges.position == 1
    for position in range(depth):
        with pytest.raises(SessionError, match="call out of order"):
            exchanges.forward(position)
    assert [envelope.index for envelope in sent] == list(range(depth))
