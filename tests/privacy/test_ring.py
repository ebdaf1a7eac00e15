"""Fixed-point numbers add up as integers do: exactly, and never beyond 32 bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from party.errors import TensorError
from party.privacy.ring import Ring

MOST_PARTIES = 63  # of a run of 64, all but the label party
SCALE = 1 << 16


def largest_below(bound):
    """The largest float32 below a bound."""
    largest = np.float32(bound)
    return largest if float(largest) < bound else np.nextafter(largest, np.float32(0))


@st.composite
def summands(draw):
    """Values of several parties, many of them at the bounds."""
    parties = draw(st.integers(2, MOST_PARTIES))
    edge = float(largest_below(Ring(parties).bound))
    finite = st.floats(-edge, edge, width=32)
    edges = st.sampled_from([edge, -edge, 0.0, -0.0, 2.0**-17, -(2.0**-17), 2.0**-149])
    return parties, draw(arrays(np.float32, (parties, 3), elements=edges | finite))


@given(summands())
def test_a_sum_is_that_of_the_rounded_values_and_cannot_overflow(drawn):
    parties, values = drawn
    ring = Ring(parties)
    total = np.zeros(3, np.uint32)
    for one in values:
        total = total + ring.encode(one, "here")
    exact = [sum(round(float(value) * SCALE) for value in column) for column in values.T]  # Python's integers
    assert all(-(2**31) < one < 2**31 for one in exact)
    np.testing.assert_array_equal(Ring.decode(total), np.array([one / SCALE for one in exact], np.float32))
    np.testing.assert_array_equal(total, np.array([one % 2**32 for one in exact], np.uint32))


@given(summands())
def test_a_sum_is_as_far_from_that_of_the_values_as_rounding_makes_it(drawn):
    parties, values = drawn
    total = np.add.reduce([Ring(parties).encode(one, "here") for one in values], dtype=np.uint32)
    meant = values.astype(np.float64).sum(axis=0)
    close = parties / (2 * SCALE) + np.abs(meant) * 2.0**-24  # and half a unit of float32
    assert (np.abs(Ring.decode(total) - meant) <= close).all()


@pytest.mark.parametrize("parties", [2, 3, 5, MOST_PARTIES])
@pytest.mark.parametrize("sign", [1, -1])
def test_all_parties_at_the_bound_fit_and_one_beyond_is_refused(parties, sign):
    ring = Ring(parties)
    edge = sign * largest_below(ring.bound)
    total = sum(int(np.int32(ring.encode(edge[None], "here").view(np.int32)[0])) for _ in range(parties))
    assert -(2**31) < total < 2**31
    for refused in (sign * np.float32(ring.bound), sign * np.float32(3e38), np.float32(np.nan), sign * np.inf):
        with pytest.raises(TensorError, match="too large for a masked sum") as caught:
            ring.encode(np.array([0.5, refused], np.float32), "own tensors of exchange 3")
        assert "own tensors of exchange 3" in str(caught.value)
        assert "0.5" not in str(caught.value)


def test_a_beyond_in_the_nearest_float_is_refused_where_the_bound_is_no_float():
    ring = Ring(3)
    above = np.nextafter(largest_below(ring.bound), np.float32(np.inf))
    with pytest.raises(TensorError):
        ring.encode(np.array([above]), "here")
