"""Stages pass a matrix on in their order, remember between batches, and see what the receiver will see."""

import numpy as np
import pytest

from party.channel.chain import Chain
from party.channel.codecs.make import make_codec
from party.channel.encoding_stage import EncodingStage
from party.channel.error_feedback import ResidualFeedback, SurrogateFeedback
from party.channel.matrix_encoding import MatrixEncoding
from party.channel.outgoing_matrix import OutgoingMatrix
from party.channel.place import Place
from party.channel.tap import TapStage
from party.configuration.run import CodecSection
from party.cut.state import State
from party.errors import CheckpointError
from tests.support.cut_layouts import layout_of

LAYOUT = layout_of([6, 1])
ROWS = 8
EXACT = MatrixEncoding.exact(LAYOUT)
INT4 = MatrixEncoding(LAYOUT, make_codec(CodecSection(kind="int4"), LAYOUT, seed=1, rows=ROWS, where="alice"), "int4")


class Count:
    """Adds to every value how many matrices came before."""

    name = "count"

    def init(self, layout, rows):
        return State({"matrices": 0})

    def apply(self, matrix, state, place):
        count = state.values["matrices"]
        return OutgoingMatrix(matrix.values + np.float32(count)), State({"matrices": count + 1})


class Double:
    """Doubles every value."""

    name = "double"

    def init(self, layout, rows):
        return State()

    def apply(self, matrix, state, place):
        return OutgoingMatrix(2 * matrix.values), state


def place(position=0):
    return Place(position, np.arange(ROWS, dtype=np.int32), True)


def values(seed=0):
    return np.random.default_rng(seed).standard_normal((ROWS, LAYOUT.columns)).astype(np.float32)


def sent(chain, matrix, position=0, encoding=EXACT):
    return encoding.decode(chain.apply(matrix, place(position)).content, ROWS, position, "test")


def test_stages_are_applied_in_their_order_and_remember():
    chain = Chain([Count(), Double(), EncodingStage(EXACT)], LAYOUT, ROWS)
    other = Chain([Double(), Count(), EncodingStage(EXACT)], LAYOUT, ROWS)
    for number in range(3):
        np.testing.assert_array_equal(sent(chain, values()), 2 * (values() + np.float32(number)))
        np.testing.assert_array_equal(sent(other, values()), 2 * values() + np.float32(number))


def test_a_chain_continues_from_its_state():
    first, second = (Chain([Count(), EncodingStage(EXACT)], LAYOUT, ROWS) for _ in range(2))
    first.apply(values(), place())
    second.set_state(first.state())
    assert first.apply(values(), place(1)) == second.apply(values(), place(1))


def test_the_state_of_other_stages_is_refused():
    state = Chain([Count(), EncodingStage(EXACT)], LAYOUT, ROWS).state()
    with pytest.raises(CheckpointError, match="the error-feedback state does not match this run"):
        Chain([ResidualFeedback(EncodingStage(INT4))], LAYOUT, ROWS).set_state(state)


def test_a_stage_that_fails_leaves_every_state_as_it_was():
    class Fail(Double):
        name = "fail"

        def apply(self, matrix, state, place):
            if place.position == 1:
                raise ValueError
            return matrix, state

    chain = Chain([Count(), Fail(), EncodingStage(EXACT)], LAYOUT, ROWS)
    chain.apply(values(), place(0))
    with pytest.raises(ValueError):
        chain.apply(values(), place(1))
    np.testing.assert_array_equal(sent(chain, values(), 2), values() + np.float32(1))


def test_nothing_leaves_without_an_encoding():
    with pytest.raises(RuntimeError, match="no stage of the chain encodes"):
        Chain([Double()], LAYOUT, ROWS).apply(values(), place())


@pytest.mark.parametrize("stage", ["codec", "residuals", "surrogates"])
def test_a_tap_sees_what_the_receiver_sees_and_changes_nothing(stage):
    encode = EncodingStage(INT4)
    make = {
        "codec": lambda: encode,
        "residuals": lambda: ResidualFeedback(encode),
        "surrogates": lambda: SurrogateFeedback(encode),
    }[stage]
    seen = []

    def observe(matrix, where):
        seen.append((matrix.copy(), where.position))
        matrix[:] = np.nan  # an observer's own copy

    tapped, plain = Chain([make(), TapStage(observe)], LAYOUT, ROWS), Chain([make()], LAYOUT, ROWS)
    received = np.zeros((ROWS, LAYOUT.columns), np.float32)
    for position in range(3):
        message = tapped.apply(values(position), place(position))
        assert message == plain.apply(values(position), place(position))
        decoded = INT4.decode(message.content, ROWS, position, "test")
        received = received + decoded if stage == "surrogates" else decoded
        np.testing.assert_array_equal(seen[-1][0], received)
    assert [position for _, position in seen] == [0, 1, 2]


@pytest.mark.parametrize("feedback", [ResidualFeedback, SurrogateFeedback])
def test_error_feedback_remembers_nothing_of_a_matrix_that_a_later_stage_refuses(feedback):
    def refuse(matrix, where):
        if where.position == 1:
            raise ValueError

    chain = Chain([feedback(EncodingStage(INT4)), TapStage(refuse)], LAYOUT, ROWS)
    chain.apply(values(0), place(0))
    before = chain.state()
    with pytest.raises(ValueError):
        chain.apply(values(1), place(1))
    np.testing.assert_array_equal(chain.state().arrays["error feedback/rows"], before.arrays["error feedback/rows"])
