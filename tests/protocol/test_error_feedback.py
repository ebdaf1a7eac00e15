"""Laws of error feedback: what a codec loses of a row is sent later, and both ends agree on what was said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.codecs.make import make_codec
from party.configuration.run import CodecSection
from party.errors import CheckpointError, TensorError
from party.protocol.channels import TensorReceiver
from party.protocol.error_feedback import ResidualSender, SurrogateReceiver, SurrogateSender
from party.protocol.hidden import Aggregation, HiddenSpec
from party.protocol.tensors import BatchCodec

SPECS = (HiddenSpec("deep", 9, Aggregation.CONCAT), HiddenSpec("linear", 1, Aggregation.SUM))
UNITS = tuple(spec.units for spec in SPECS)
COLUMNS = sum(UNITS)
ROWS = 12
SECTIONS = {
    "int4": {"kind": "int4"},
    "topk": {"kind": "topk", "fraction": 0.2},
    "topk of int8": {"kind": "topk", "fraction": 0.2, "values": "int8"},
    "randomk": {"kind": "randomk", "fraction": 0.3},
}


def codec_of(name):
    section = CodecSection(**SECTIONS[name])
    return BatchCodec(SPECS, make_codec(section, UNITS, 5, 100, "alice"), section.kind)


@st.composite
def visits(draw):
    """Batches of rows, each row at most once in a batch, and their values."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    scale = draw(st.sampled_from([1e-6, 1.0, 1e3]))
    batches = []
    for size in draw(st.lists(st.integers(1, ROWS), min_size=1, max_size=12)):
        rows = generator.permutation(ROWS)[:size].astype(np.int32)
        batches.append((rows, (generator.standard_normal((size, COLUMNS)) * scale).astype(np.float32)))
    return batches


@pytest.mark.parametrize("name", SECTIONS)
@given(visits())
def test_what_is_lost_of_a_gradient_is_added_when_its_row_comes_next(name, batches):
    codec = codec_of(name)
    sender, receiver = ResidualSender(codec, ROWS), TensorReceiver(codec)
    meant, taken = (np.zeros((ROWS, COLUMNS)) for _ in range(2))
    for position, (rows, values) in enumerate(batches):
        message = sender.encode(codec.named(values), rows, position)
        meant[rows] += values
        taken[rows] += codec.matrix(receiver.decode(message, rows, position, "x"))
    (residuals,) = sender.state().arrays.values()
    largest = max(np.abs(values).max() for _, values in batches)
    np.testing.assert_allclose(taken + residuals, meant, atol=1e-5 * largest * len(batches))


@pytest.mark.parametrize("name", SECTIONS)
@given(visits())
def test_both_ends_take_a_row_for_the_same_bits(name, batches):
    codec = codec_of(name)
    sender, receiver = SurrogateSender(codec, ROWS), SurrogateReceiver(codec, ROWS)
    for position, (rows, values) in enumerate(batches):
        taken = receiver.decode(sender.encode(codec.named(values), rows, position), rows, position, "x")
        receiver.accept(taken, rows)
        (one,), (other,) = sender.state().arrays.values(), receiver.state().arrays.values()
        np.testing.assert_array_equal(one, other, strict=True)
        np.testing.assert_array_equal(codec.matrix(taken), other[rows])


@pytest.mark.parametrize("name", ["int4", "topk", "topk of int8"])
def test_a_row_that_stays_the_same_arrives_in_the_end(name):
    codec = codec_of(name)
    sender, receiver = SurrogateSender(codec, ROWS), SurrogateReceiver(codec, ROWS)
    rows = np.arange(ROWS, dtype=np.int32)
    values = np.random.default_rng(3).standard_normal((ROWS, COLUMNS)).astype(np.float32)
    errors = []
    for position in range(30):
        taken = receiver.decode(sender.encode(codec.named(values), rows, position), rows, position, "x")
        receiver.accept(taken, rows)
        errors.append(np.abs(codec.matrix(taken) - values).max())
    assert errors[0] > 1e-2
    assert errors[-1] < 1e-5


def test_nothing_is_remembered_of_a_message_that_was_not_accepted():
    codec = codec_of("int4")
    sender, receiver = SurrogateSender(codec, ROWS), SurrogateReceiver(codec, ROWS)
    rows = np.arange(4, dtype=np.int32)
    message = sender.encode(codec.named(np.ones((4, COLUMNS), np.float32)), rows, 0)
    first = receiver.decode(message, rows, 0, "x")
    with pytest.raises(TensorError):
        receiver.decode(message[:-3], rows, 0, "x")
    again = receiver.decode(message, rows, 0, "x")
    np.testing.assert_array_equal(codec.matrix(first), codec.matrix(again))


@pytest.mark.parametrize("make", [ResidualSender, SurrogateSender])
def test_a_sender_goes_on_from_its_state(make):
    codec, generator = codec_of("topk"), np.random.default_rng(1)
    rows = np.arange(ROWS, dtype=np.int32)
    values = generator.standard_normal((3, ROWS, COLUMNS)).astype(np.float32)
    one, other = make(codec, ROWS), make(codec, ROWS)
    one.encode(codec.named(values[0]), rows, 0)
    state = one.state()
    one.encode(codec.named(values[1]), rows, 1)
    other.set_state(state)
    other.encode(codec.named(values[1]), rows, 1)
    assert one.encode(codec.named(values[2]), rows, 2) == other.encode(codec.named(values[2]), rows, 2)
    with pytest.raises(CheckpointError, match="rows that error feedback remembers do not fit"):
        make(codec, ROWS + 1).set_state(state)


def test_differences_that_add_up_beyond_all_numbers_are_refused():
    codec = BatchCodec(SPECS, make_codec(CodecSection(kind="bfloat16"), UNITS, 5, 100, "alice"), "bfloat16")
    receiver, rows = SurrogateReceiver(codec, ROWS), np.arange(2, dtype=np.int32)
    message = codec.encode(codec.named(np.full((2, COLUMNS), 3e38, np.float32)), 0)
    receiver.accept(receiver.decode(message, rows, 0, "x"), rows)
    with np.errstate(over="ignore"), pytest.raises(TensorError, match="x: holds values that are not finite"):
        receiver.decode(message, rows, 1, "x")
