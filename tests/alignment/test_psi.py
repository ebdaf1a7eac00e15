import os
import subprocess
import sys
import textwrap

import private_set_intersection.python as library
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.alignment.psi import (
    ELEMENT_BYTES,
    answer_request,
    check_elements,
    encrypt,
    hidden_order,
    new_key,
)
from party.errors import AlignmentError

SAMPLE_IDS = st.lists(st.text(alphabet="ab\0é", min_size=1, max_size=4), min_size=1, max_size=8, unique=True)
OFF_THE_CURVE = b"\x02" + b"\xff" * (ELEMENT_BYTES - 1)


def split(message):
    return [message[start : start + ELEMENT_BYTES] for start in range(0, len(message), ELEMENT_BYTES)]


@settings(max_examples=20, deadline=None)
@given(client_ids=SAMPLE_IDS, server_ids=SAMPLE_IDS)
def test_elements_meet_where_the_library_finds_them(client_ids, server_ids):
    client_key, server_key = new_key(), new_key()
    setup = split(answer_request(client_key, encrypt(server_key, server_ids), "here"))
    response = split(answer_request(server_key, encrypt(client_key, client_ids), "here"))

    client = library.client.CreateFromKey(client_key, True)
    server = library.server.CreateFromKey(server_key, True)
    whole = server.CreateSetupMessage(0.01, len(client_ids), server_ids, library.DataStructure.RAW)
    found = client.GetIntersection(whole, library.Response(encrypted_elements=response))
    assert [place for place, element in enumerate(response) if element in setup] == sorted(found)
    assert [place for place, sample_id in enumerate(client_ids) if sample_id in server_ids] == sorted(found)
    assert sorted(whole.raw.encrypted_elements) == sorted(split(encrypt(server_key, server_ids)))


def test_encryption_commutes_element_by_element():
    client_key, server_key = new_key(), new_key()
    ids = ["one", "two", "three"]
    twice = answer_request(server_key, encrypt(client_key, ids), "here")
    each = [answer_request(server_key, encrypt(client_key, [sample_id]), "here") for sample_id in ids]
    assert split(twice) == each
    assert split(answer_request(client_key, encrypt(server_key, ids), "here")) == each


def test_hidden_order_depends_on_the_ids_and_the_key_alone():
    ids = [f"id-{number}" for number in range(30)]
    key = new_key()
    order = hidden_order(key, ids, "here")
    backwards = ids[::-1]
    assert sorted(order) == list(range(30))
    assert [ids[row] for row in order] == [backwards[row] for row in hidden_order(key, backwards, "here")]
    assert [hidden_order(new_key(), ids, "here") != order for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("size", [0, ELEMENT_BYTES, 2 * ELEMENT_BYTES - 1, 2 * ELEMENT_BYTES + 1, 3 * ELEMENT_BYTES])
def test_wrong_size_names_what_was_expected(size):
    with pytest.raises(AlignmentError, match=f"here: .*expected 2 elements of 33 bytes; received {size} bytes"):
        check_elements(bytes(size), 2, "here")


def test_element_off_the_curve_is_refused():
    with pytest.raises(AlignmentError, match=r"^here: an element that is no point of the curve$"):
        answer_request(new_key(), OFF_THE_CURVE, "here")


def test_every_call_holds_the_lock_of_python_where_it_uses_its_memory():
    """The library is compiled code: Python's own check of its memory ends a process that breaks this."""
    program = """
        from party.alignment import psi
        client, server = psi.new_key(), psi.new_key()
        setup = psi.answer_request(client, psi.encrypt(server, ["a", "b"]), "here")
        response = psi.answer_request(server, psi.encrypt(client, ["b", "c"]), "here")
        print(setup[psi.ELEMENT_BYTES:] == response[:psi.ELEMENT_BYTES])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONMALLOC": "malloc_debug"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
