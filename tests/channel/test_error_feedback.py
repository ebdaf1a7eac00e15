"""Laws of error feedback: what a codec loses of a row is sent later, and both ends agree on what was said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.channel.compose import ChannelSettings, feature_channels, label_channels
from party.channel.place import Place
from party.configuration.run import CodecSection, CodecsSection
from party.errors import CheckpointError, TensorError
from tests.support.cut_layouts import layout_of
from tests.support.numpy_models import LABEL_PARTY, make_keys

LAYOUT = layout_of([9, 1])
COLUMNS = LAYOUT.columns
ROWS = 12
SECTIONS = {
    "int4": {"kind": "int4"},
    "topk": {"kind": "topk", "fraction": 0.2},
    "topk of int8": {"kind": "topk", "fraction": 0.2, "values": "int8"},
    "randomk": {"kind": "randomk", "fraction": 0.3},
}
FEATURE_PARTY = "alice"


def ends(section, direction, rows=ROWS):
    """Sender and receiver of a direction, each with its own keys."""
    codec = CodecSection(**section, error_feedback=True)
    codecs = CodecsSection(**{direction: codec})
    keys = make_keys([FEATURE_PARTY])
    shared = {"label_party": LABEL_PARTY, "dataset": "train", "rows": rows, "seed": 5}
    shared |= {"codecs": codecs, "largest_training_batch": 100}
    feature = feature_channels(ChannelSettings(party=FEATURE_PARTY, **shared), LAYOUT, keys[FEATURE_PARTY])
    label_settings = ChannelSettings(party=LABEL_PARTY, **shared)
    label = label_channels(label_settings, {FEATURE_PARTY: LAYOUT}, keys[LABEL_PARTY])
    if direction == "hidden":
        return feature.hiddens, label.hiddens[FEATURE_PARTY]
    return label.gradients[FEATURE_PARTY], feature.gradients


def place(position, rows, trains=True):
    return Place(position, np.asarray(rows, np.int32), trains)


def pass_on(sender, receiver, values, where):
    """What the receiver has of a matrix, once it was accepted."""
    received = receiver.open([sender.send(values, where)], where)
    receiver.accept(received, where)
    return received.values


def table(channel):
    (array,) = channel.state().arrays.values()
    return array


@st.composite
def batches_of_rows(draw, repeats=False):
    """Batches of rows, each row at most once in a batch unless it repeats, and their values; some are empty."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    scale = draw(st.sampled_from([1e-6, 1.0, 1e3]))
    batches = []
    for size in draw(st.lists(st.integers(0, ROWS), min_size=1, max_size=12)):
        numbers = generator.integers(0, ROWS, size) if repeats else generator.permutation(ROWS)[:size]
        rows = numbers.astype(np.int32)
        batches.append((rows, (generator.standard_normal((size, COLUMNS)) * scale).astype(np.float32)))
    return batches


@pytest.mark.parametrize("name", SECTIONS)
@given(st.booleans().flatmap(lambda repeats: batches_of_rows(repeats=repeats)))
def test_what_is_lost_of_a_gradient_is_added_when_its_row_comes_next(name, batches):
    sender, receiver = ends(SECTIONS[name], "gradient")
    meant, received = (np.zeros((ROWS, COLUMNS)) for _ in range(2))
    for position, (rows, values) in enumerate(batches):
        np.add.at(meant, rows, values)
        np.add.at(received, rows, pass_on(sender, receiver, values, place(position, rows)))
    largest = max(np.abs(values).max(initial=0.0) for _, values in batches)
    tolerance = 1e-5 * largest * sum(len(rows) for rows, _ in batches)
    np.testing.assert_allclose(received + table(sender), meant, atol=tolerance)


@pytest.mark.parametrize("name", SECTIONS)
@given(batches_of_rows())
def test_both_ends_have_the_same_surrogates(name, batches):
    sender, receiver = ends(SECTIONS[name], "hidden")
    for position, (rows, values) in enumerate(batches):
        received = pass_on(sender, receiver, values, place(position, rows))
        np.testing.assert_array_equal(table(sender), table(receiver), strict=True)
        np.testing.assert_array_equal(received, table(receiver)[rows])


@pytest.mark.parametrize("name", ["int4", "topk", "topk of int8"])
def test_a_row_that_stays_the_same_arrives_in_the_end(name):
    sender, receiver = ends(SECTIONS[name], "hidden")
    rows = np.arange(ROWS)
    values = np.random.default_rng(3).standard_normal((ROWS, COLUMNS)).astype(np.float32)
    errors = [np.abs(pass_on(sender, receiver, values, place(position, rows)) - values).max() for position in range(30)]
    assert errors[0] > 1e-2
    assert errors[-1] < 1e-5


@pytest.mark.parametrize("direction", ["hidden", "gradient"])
def test_other_batches_than_those_of_training_are_sent_as_they_are_and_change_nothing(direction):
    sender, receiver = ends(SECTIONS["int4"], direction)
    rows, values = np.arange(4), np.random.default_rng(1).standard_normal((4, COLUMNS)).astype(np.float32)
    pass_on(sender, receiver, values, place(0, rows))
    before = [channel.state() for channel in (sender, receiver)]
    received = pass_on(sender, receiver, values, place(1, rows, trains=False))
    assert received.tobytes() == values.tobytes()
    for state, channel in zip(before, (sender, receiver), strict=True):
        for name, array in channel.state().arrays.items():
            np.testing.assert_array_equal(array, state.arrays[name])


def test_nothing_is_remembered_of_a_message_that_was_not_accepted():
    sender, receiver = ends(SECTIONS["int4"], "hidden")
    where = place(0, range(4))
    envelope = sender.send(np.ones((4, COLUMNS), np.float32), where)
    first, again = receiver.open([envelope], where), receiver.open([envelope], where)
    np.testing.assert_array_equal(first.values, again.values)
    assert not table(receiver).any()


def test_nothing_is_remembered_of_a_matrix_that_cannot_be_sent():
    for direction in ("hidden", "gradient"):
        sender, _ = ends(SECTIONS["int4"], direction)
        with pytest.raises(TensorError, match="not finite"):
            sender.send(np.full((4, COLUMNS), np.nan, np.float32), place(0, range(4)))
        assert not table(sender).any()


@pytest.mark.parametrize("direction", ["hidden", "gradient"])
def test_a_sender_continues_from_its_state(direction):
    values = np.random.default_rng(1).standard_normal((3, ROWS, COLUMNS)).astype(np.float32)
    places = [place(position, range(ROWS)) for position in range(3)]
    (one, _), (other, _) = ends(SECTIONS["topk"], direction), ends(SECTIONS["topk"], direction)
    one.encode(values[0], places[0])
    state = one.state()
    one.encode(values[1], places[1])
    other.set_state(state)
    other.encode(values[1], places[1])
    assert one.encode(values[2], places[2]) == other.encode(values[2], places[2])
    one.encode(values[2], places[2])
    other.set_state(state)  # which later matrices have left as it was
    assert table(other).tobytes() == state.arrays["training/error feedback/rows"].tobytes()
    longer, _ = ends(SECTIONS["topk"], direction, rows=ROWS + 1)
    with pytest.raises(CheckpointError, match="the error-feedback state does not match this run"):
        longer.set_state(state)


def test_differences_that_add_up_beyond_all_numbers_are_refused():
    sender, receiver = ends({"kind": "bfloat16"}, "hidden")
    huge = np.full((2, COLUMNS), 3e38, np.float32)
    pass_on(sender, receiver, huge, place(0, range(2)))
    fresh, _ = ends({"kind": "bfloat16"}, "hidden")
    envelope = fresh.send(huge, place(1, range(2)))
    with np.errstate(over="ignore"), pytest.raises(TensorError, match="holds values that are not finite"):
        receiver.open([envelope], place(1, range(2)))
