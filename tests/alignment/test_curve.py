"""Points of ids and elements of attackers, against published vectors and plain integers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.alignment.curve import hash_to_curve, is_on_curve, new_key
from party.alignment.psi import answer_request, encrypt
from party.errors import AlignmentError
from tests.support.x25519_points import (
    OF_SMALL_ORDER,
    PRIME,
    clamped,
    decode,
    encode,
    inverse,
    is_of_curve,
    multiple,
)

BASE_POINT = encode(9)
TEXTS = st.text(alphabet="ab\0é\U00010000", max_size=6)
NUMBERS = st.integers(0, PRIME - 1)
REFUSAL = r"^here: an element that is no point of the curve$"
# Of RFC 7748, section 6.1.
ALICE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
BOB = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
OF_ALICE = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
OF_BOB = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
OF_BOTH = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
# Of its section 5.2: a key multiplies the former key, 1,000 times.
AFTER_ONE = bytes.fromhex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
AFTER_THOUSAND = bytes.fromhex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")


def refused(element):
    """Alone, and between elements that are points."""
    honest = encrypt(new_key(), ["one"])
    for request in (element, honest + element, element + honest):
        with pytest.raises(AlignmentError, match=REFUSAL):
            answer_request(new_key(), request, "here")
    return True


# The primitive


def test_published_keys_agree():
    assert answer_request(ALICE, BASE_POINT, "here") == OF_ALICE
    assert answer_request(BOB, BASE_POINT, "here") == OF_BOB
    assert answer_request(ALICE, OF_BOB, "here") == answer_request(BOB, OF_ALICE, "here") == OF_BOTH


def test_published_iteration():
    key, element = BASE_POINT, BASE_POINT
    results = []
    for _ in range(1000):
        key, element = answer_request(key, element, "here"), key
        results.append(key)
    assert (results[0], results[-1]) == (AFTER_ONE, AFTER_THOUSAND)


@settings(max_examples=20, deadline=None)
@given(text=TEXTS)
def test_an_element_is_the_multiple_of_the_point_of_its_id(text):
    key = new_key()
    assert decode(encrypt(key, [text])) == multiple(clamped(key), decode(hash_to_curve(text)))


# Points of ids


@given(text=TEXTS)
def test_ids_are_hashed_onto_the_curve(text):
    point = hash_to_curve(text)
    assert (len(point), point) == (32, hash_to_curve(text))
    assert is_of_curve(decode(point))


@given(u=NUMBERS)
def test_curve_and_twist_are_told_apart_as_by_definition(u):
    assert is_on_curve(encode(u)) == is_of_curve(u)


def test_an_encrypted_element_does_not_show_a_bit_of_its_id():
    """Multiplication keeps curve and twist apart: a dictionary could tell ids apart if some were on the twist."""
    key = new_key()
    assert all(is_of_curve(decode(encrypt(key, [f"id-{number}"]))) for number in range(50))


def test_different_ids_have_different_points():
    texts = ["", "a", "A", "a ", "a\0", "aa", "\0", "é", "e\u0301", *map(str, range(200))]
    assert len({hash_to_curve(text) for text in texts}) == len(texts)


# Elements that no honest side sends


@pytest.mark.parametrize("u", OF_SMALL_ORDER.values(), ids=OF_SMALL_ORDER)
def test_points_of_small_order_are_refused(u):
    """Their multiple by every key is the same: a peer would know an element under a key that it does not have."""
    assert multiple(clamped(new_key()), u) == 0
    assert refused(encode(u))


@pytest.mark.parametrize("u", [u for u in OF_SMALL_ORDER.values() if u < 19], ids=str)
def test_points_of_small_order_in_another_encoding_are_refused(u):
    assert refused(encode(u + PRIME))


@settings(max_examples=30, deadline=None)
@given(u=NUMBERS.filter(lambda u: not is_of_curve(u)))
def test_points_of_the_twist_are_refused(u):
    assert refused(encode(u))


@pytest.mark.parametrize("extra", range(19))
def test_numbers_that_are_not_below_the_prime_are_refused(extra):
    """X25519 takes them for `extra`: one point would have two encodings, and count as two elements."""
    assert not is_on_curve(encode(PRIME + extra))
    assert refused(encode(PRIME + extra))


@given(text=TEXTS)
def test_a_point_with_the_bit_that_nobody_reads_is_refused(text):
    """X25519 ignores the highest bit, too."""
    element = hash_to_curve(text)
    assert refused(element[:-1] + bytes([element[-1] | 0x80]))


@settings(max_examples=10, deadline=None)
@given(text=TEXTS)
def test_a_point_moved_by_one_of_small_order_has_the_same_product(text):
    """So it passes for a second element only until it is multiplied, and repetitions are counted afterwards."""
    point = hash_to_curve(text)
    moved = encode(inverse(decode(point)))  # the sum with (0, 0)
    key = new_key()
    assert moved != point
    assert answer_request(key, moved, "here") == answer_request(key, point, "here")
