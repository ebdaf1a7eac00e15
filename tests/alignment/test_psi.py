import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.alignment.curve import ELEMENT_BYTES, new_key
from party.alignment.hidden_order import hidden_order
from party.alignment.psi import answer_request, check_elements, encrypt
from party.data.ids import ids_of
from party.errors import AlignmentError, DataError

SAMPLE_IDS = st.lists(st.text(alphabet="ab\0é", min_size=1, max_size=4), min_size=1, max_size=12, unique=True)


def split(message):
    return [message[start : start + ELEMENT_BYTES] for start in range(0, len(message), ELEMENT_BYTES)]


@settings(max_examples=40, deadline=None)
@given(client_ids=SAMPLE_IDS, server_ids=SAMPLE_IDS)
def test_elements_meet_where_ids_are_the_same_and_nowhere_else(client_ids, server_ids):
    client_key, server_key = new_key(), new_key()
    setup = split(answer_request(client_key, encrypt(server_key, server_ids), "here"))
    response = split(answer_request(server_key, encrypt(client_key, client_ids), "here"))
    assert [[one == other for other in setup] for one in response] == [
        [one == other for other in server_ids] for one in client_ids
    ]


def test_encryption_commutes_element_by_element():
    client_key, server_key = new_key(), new_key()
    ids = ["one", "two", "three"]
    twice = answer_request(server_key, encrypt(client_key, ids), "here")
    each = [answer_request(server_key, encrypt(client_key, [sample_id]), "here") for sample_id in ids]
    assert split(twice) == each
    assert split(answer_request(client_key, encrypt(server_key, ids), "here")) == each


def test_elements_under_different_keys_have_nothing_in_common():
    elements = [encrypt(new_key(), ["one"]) for _ in range(5)]
    assert len({*elements, encrypt(new_key(), ["two"])}) == 6


@settings(max_examples=40, deadline=None)
@given(ids=st.lists(st.text(max_size=3), max_size=30, unique=True), data=st.data())
def test_hidden_order_depends_on_the_ids_and_the_key_alone(ids, data):
    key = new_key()
    order = hidden_order(key, ids_of(ids))
    shuffled = ids_of(data.draw(st.permutations(ids)))
    assert sorted(order.tolist()) == list(range(len(ids)))
    assert ids_of(ids).of(order) == shuffled.of(hidden_order(key, shuffled))


def test_every_key_has_an_order_of_its_own():
    ids = [f"id-{number}" for number in range(30)]
    orders = {tuple(hidden_order(new_key(), ids_of(ids)).tolist()) for _ in range(4)}
    assert len(orders | {tuple(range(30))}) == 5


def test_an_id_without_utf_8_is_refused_without_showing_it():
    with pytest.raises(DataError, match=r"^column key: an id cannot be written as UTF-8") as caught:
        ids_of(["fine", "secret\ud800"], "key")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("size", [0, ELEMENT_BYTES, 2 * ELEMENT_BYTES - 1, 2 * ELEMENT_BYTES + 1, 3 * ELEMENT_BYTES])
def test_wrong_size_names_what_was_expected(size):
    with pytest.raises(AlignmentError, match=f"here: .*expected 2 elements of 32 bytes; received {size} bytes"):
        check_elements(bytes(size), 2, "here")
