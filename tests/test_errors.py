"""The tree of errors, on both sides of the wire."""

import json
import socket
from concurrent import futures
from contextlib import contextmanager

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party import errors
from party.errors import (
    ERRORS_BY_CODE,
    INTERRUPTED_EXIT_CODE,
    ConfigurationError,
    ConnectionLostError,
    IdentityError,
    InternalError,
    PolicyError,
    SplitError,
    error_from_code,
)
from party.security.certificates import Identity
from party.security.tls import channel_credentials, channel_options
from party.transport.errors import MAXIMUM_MESSAGE_LENGTH, STATUS_BY_ERROR, error_from_rpc, error_to_status
from tests.security import issuing
from tests.security.issuing import COORDINATOR, DAY

TIMEOUT_SECONDS = 20
CLICK_USAGE_EXIT_CODE = 2
SHOP = issuing.authority("shop authority")
DRIVER = issuing.authority("driver authority")
OTHER = issuing.authority("other authority")


def subclasses(kind):
    return [one for child in kind.__subclasses__() for one in (child, *subclasses(child))]


KINDS = subclasses(SplitError)


def test_every_error_is_known_on_both_sides_of_the_wire():
    assert len(KINDS) > 10
    assert set(ERRORS_BY_CODE.values()) == set(KINDS) == set(STATUS_BY_ERROR)
    assert {code: kind.code for code, kind in ERRORS_BY_CODE.items()} == {code: code for code in ERRORS_BY_CODE}
    assert all(f"{kind.__name__} " in errors.__doc__ for kind in KINDS)
    assert grpc.StatusCode.OK not in STATUS_BY_ERROR.values()


def test_codes_and_exit_codes_tell_errors_apart():
    assert len({kind.code for kind in KINDS} | {SplitError.code}) == len(KINDS) + 1
    exit_codes = [kind.exit_code for kind in KINDS]
    assert len(set(exit_codes)) == len(KINDS)
    assert {0, SplitError.exit_code, INTERRUPTED_EXIT_CODE}.isdisjoint(exit_codes)
    assert max(exit_codes) < 126, "higher ones are the shell's"


def test_message_says_what_where_expected_received_and_fix():
    error = ConfigurationError("is wrong", where="run.yaml", expected="4", received="5", fix="write 4")
    assert str(error) == "run.yaml: is wrong; expected 4; received 5; write 4"
    assert str(ConfigurationError("is wrong")) == "is wrong"
    assert str(ConfigurationError("is wrong", fix="write 4")) == "is wrong; write 4"


class FailedCall(grpc.RpcError):
    """What a stub raises, with the status and details that a party answered."""

    def __init__(self, status, details):
        super().__init__()
        self._status, self._details = status, details

    def code(self):
        return self._status

    def details(self):
        return self._details


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(text=st.text(max_size=200))
def test_error_crosses_the_wire_with_class_and_text(kind, text):
    sent = kind(text, where="shop")
    received = error_from_rpc(FailedCall(*error_to_status(sent)), "shop", "host:1")
    assert type(received) is kind
    assert len(str(received)) == len(str(sent))
    for got, gave in zip(str(received), str(sent), strict=True):
        assert got in (gave, "?")  # what a terminal could take for a command, or not show
        assert got == gave or not (gave.isascii() and gave.isprintable())


def test_error_names_the_party_that_sent_it():
    received = error_from_rpc(FailedCall(*error_to_status(PolicyError("refused"))), "shop", "host:1")
    assert str(received) == "shop: refused"


def test_error_on_the_wire_is_short_ascii_whatever_it_says():
    status, details = error_to_status(PolicyError("é\n" * 10 * MAXIMUM_MESSAGE_LENGTH))
    assert status is grpc.StatusCode.PERMISSION_DENIED
    assert details.isascii()
    assert "\n" not in details
    assert len(json.loads(details)["message"]) == MAXIMUM_MESSAGE_LENGTH


def test_error_that_this_version_does_not_know_is_internal():
    assert type(error_from_code("of a later version", "text")) is InternalError

    class Unlisted(SplitError):
        code = "unlisted"

    assert error_to_status(Unlisted("text"))[0] is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize(
    "details", ["", "plain", "[]", "1", '"text"', "null", '{"code": "policy"}', '{"message": "x"}']
)
def test_details_that_no_party_sends_tell_what_the_connection_did(details):
    received = error_from_rpc(FailedCall(grpc.StatusCode.INTERNAL, details), "shop", "host:1")
    assert type(received) is ConnectionLostError
    assert str(received) == "party shop at host:1: call failed with INTERNAL"


def test_call_without_details_is_a_lost_connection():
    received = error_from_rpc(FailedCall(grpc.StatusCode.UNAVAILABLE, None), "shop", "host:1")
    assert type(received) is ConnectionLostError


@contextmanager
def serving(party, handlers=(), threads=1):
    """A server with a certificate that a careful party would refuse to start with."""
    credentials = grpc.ssl_server_credentials([(party.key_pem, party.pem)], DRIVER.pem, require_client_auth=True)
    server = grpc.server(futures.ThreadPoolExecutor(threads), handlers=handlers)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def failure(port, timeout_seconds=TIMEOUT_SECONDS, caller_authority=DRIVER):
    """The error that a coordinator reports of a call to a party at a port."""
    issued = issuing.leaf(caller_authority, ("driver",), COORDINATOR, common_name="driver")
    credentials = channel_credentials(Identity("driver", (issued.certificate,), issued.key), (SHOP.certificate,))
    with (
        grpc.secure_channel(f"127.0.0.1:{port}", credentials, channel_options("shop")) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        channel.unary_unary("/split.v1.Party/Describe")(b"", timeout=timeout_seconds)
    return error_from_rpc(caught.value, "shop", "host:1")


@pytest.mark.parametrize(
    ("party", "text"),
    [
        pytest.param(issuing.leaf(SHOP, ("bank",)), "the certificate there carries another name", id="wrong name"),
        pytest.param(issuing.leaf(SHOP, end=-DAY / 24), "expired; shop must renew it", id="expired"),
        pytest.param(issuing.leaf(OTHER), "no trusted connection could be made", id="other authority"),
    ],
)
def test_certificate_that_is_refused_is_an_identity_error(party, text):
    with serving(party) as port:
        error = failure(port)
    assert type(error) is IdentityError
    assert str(error).startswith("party shop at host:1: ")
    assert text in str(error)


def test_refused_port_is_a_lost_connection():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else gets it, and it refuses
        error = failure(taken.getsockname()[1])
    assert type(error) is ConnectionLostError
    assert "cannot be reached" in str(error)


def test_server_without_tls_is_told_apart_from_an_answer():
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        error = failure(port)
    finally:
        server.stop(None).wait()
    assert type(error) is IdentityError
    assert "no trusted connection could be made" in str(error)


def test_coordinator_that_the_party_refuses_is_told_what_it_may_be():
    with serving(issuing.leaf(SHOP)) as port:
        error = failure(port, caller_authority=OTHER)
    assert type(error) is ConnectionLostError
    assert "shop may not trust this certificate" in str(error)


class Silent(grpc.GenericRpcHandler):
    """Answers nothing until the caller has given up."""

    def service(self, handler_call_details):
        return grpc.unary_unary_rpc_method_handler(self._wait)

    def _wait(self, request, context):
        gone = futures.Future()
        if not context.add_callback(lambda: gone.set_result(None)):
            return b""
        gone.result(TIMEOUT_SECONDS)
        return b""


def test_silent_party_did_not_answer_in_time():
    with serving(issuing.leaf(SHOP), [Silent()]) as port:
        error = failure(port, timeout_seconds=1)
    assert type(error) is ConnectionLostError
    assert "did not answer in time" in str(error)
    assert "timeout_seconds" in str(error)


def test_exit_code_of_a_wrong_configuration_is_that_of_a_wrong_command():
    assert ConfigurationError.exit_code == CLICK_USAGE_EXIT_CODE
