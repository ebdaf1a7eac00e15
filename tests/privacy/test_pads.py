"""Pads cancel in the sum, look uniform in every part of it, and serve one message each."""

import hashlib
import hmac
import itertools

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from party.errors import SessionLostError
from party.privacy.pads import Masks, pad
from tests.support.uniformity import MOST_CHI_SQUARE, chi_square

BLOCK_BYTES = 16


def secrets_of(names, seed=b"session"):
    """By party, what it shares with each other one."""
    pairs = {pair: hashlib.sha256(seed + repr(pair).encode()).digest() for pair in itertools.combinations(names, 2)}
    return {name: {other: pairs[tuple(sorted((name, other)))] for other in names if other != name} for name in names}


def by_hand(secret, position, rows, columns):
    """The pad by other means: one HMAC of HKDF-Expand, then AES of a counter, block by block."""
    info = b"pad" + b"".join(number.to_bytes(8, "big") for number in (position, rows, columns))
    key = hmac.new(secret, info + b"\1", hashlib.sha256).digest()
    blocks = -(-4 * rows * columns // BLOCK_BYTES)
    counters = b"".join(number.to_bytes(BLOCK_BYTES, "big") for number in range(blocks))
    stream = Cipher(AES(key), ECB()).encryptor().update(counters)
    return [int.from_bytes(stream[4 * one : 4 * one + 4], "little") for one in range(rows * columns)]


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**40), st.integers(1, 9), st.integers(1, 7))
def test_a_pad_is_the_stream_of_its_place(secret, position, rows, columns):
    made = pad(secret, position, rows, columns)
    assert made.shape == (rows, columns)
    assert made.ravel().tolist() == by_hand(secret, position, rows, columns)


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.integers(0, 1000))
def test_pads_cancel_in_the_sum_of_all_parties_alone(count, seed, position):
    names = [f"party-{number}" for number in range(count)]
    secrets = secrets_of(names, seed.to_bytes(4, "big"))
    plain = np.random.default_rng(seed).integers(0, 2**32, (count, 5, 3), np.uint32)
    masked = [Masks(name, secrets[name]).apply(one, position) for name, one in zip(names, plain, strict=True)]
    np.testing.assert_array_equal(sum(masked), sum(plain))
    for name, one, hidden in zip(names, plain, masked, strict=True):
        assert (one != hidden).any(), name
    assert (sum(masked[:-1]) != sum(plain[:-1])).any()


@pytest.mark.parametrize("count", [2, 3])
def test_masked_bytes_are_uniform_whatever_they_hide(count):
    names = [f"party-{number}" for number in range(count)]
    secrets = secrets_of(names)
    nothing = np.zeros((1024, 64), np.uint32)
    assert chi_square(nothing.tobytes()) > MOST_CHI_SQUARE  # the test sees what is not uniform
    assert chi_square(np.random.default_rng(0).normal(size=(1024, 64)).astype("<f4").tobytes()) > MOST_CHI_SQUARE
    masks = {name: Masks(name, secrets[name]) for name in names}
    for name, position in itertools.product(names, range(5)):
        assert chi_square(masks[name].apply(nothing, position).tobytes()) < MOST_CHI_SQUARE


def test_every_place_and_secret_has_its_own_pad():
    places = [(0, 6, 2), (1, 6, 2), (0, 2, 6), (0, 4, 3), (0, 3, 4), (256, 6, 2)]
    pads = [pad(secret, *place).tobytes() for secret in (b"\1" * 32, b"\2" * 32) for place in places]
    assert len(set(pads)) == len(pads)


def test_no_position_is_masked_twice():
    masks = Masks("alice", {"charlie": bytes(32)})
    matrix = np.zeros((2, 2), np.uint32)
    masks.apply(matrix, 0)
    masks.apply(matrix, 3)
    for position in (3, 2, 0):
        with pytest.raises(SessionLostError, match="no pad serves two messages"):
            masks.apply(matrix, position)
    masks.apply(matrix, 4)
