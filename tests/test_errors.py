"""The tree of errors, on both sides of the wire."""

import ast
import json
import socket
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path

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
    DataError,
    ErrorFields,
    IdentityError,
    InternalError,
    ModelError,
    PolicyError,
    SplitError,
    StorageError,
    error_from_code,
)
from party.security.certificates import Identity
from party.security.tls import channel_credentials, channel_options
from party.transport.errors import (
    MAXIMUM_DETAILS_BYTES,
    MAXIMUM_MESSAGE_CHARACTERS,
    STATUS_BY_ERROR,
    bounded,
    error_from_rpc,
    error_to_status,
)
from tests.support import issuing
from tests.support.issuing import COORDINATOR, DAY

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


def test_error_has_each_part_of_its_message_as_an_attribute():
    error = ConfigurationError("is wrong", where=Path("run.yaml"), expected="4", received="5", fix="write 4")
    parts = (error.what, error.where, error.expected, error.received, error.fix)
    assert parts == ("is wrong", "run.yaml", "4", "5", "write 4")
    assert error.fields == ErrorFields(what="is wrong", where="run.yaml", expected="4", received="5", fix="write 4")
    assert error.fields.message == str(error)
    assert error.party == ""


class FailedCall(grpc.RpcError):
    """What a stub raises, with the status and details that a party answered."""

    def __init__(self, status, details):
        super().__init__()
        self._status, self._details = status, details

    def code(self):
        return self._status

    def details(self):
        return self._details


def sent_on(error, party="shop"):
    """An error as the coordinator has it that called a party."""
    return error_from_rpc(FailedCall(*error_to_status(error)), party, "host:1")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(text=st.text(max_size=200))
def test_error_crosses_the_wire_with_class_and_text(kind, text):
    sent = kind(text, where="shop")
    received = sent_on(sent)
    assert type(received) is kind
    assert str(received) == str(sent) if not kind.summary else str(received) == f"shop: {kind.summary}"
    for got, gave in zip(str(sent), f"shop: {text}", strict=True):
        assert got in (gave, "?", " ")  # what a terminal could take for a command, or not show
        assert got == gave or not (gave.isascii() and gave.isprintable())


FIELD = st.text(max_size=60)
PATHS = st.builds(lambda name: Path("/srv/own files") / name, st.text("abc. ", min_size=1, max_size=9))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(
    what=FIELD,
    where=FIELD | PATHS,
    others=st.fixed_dictionaries({"expected": FIELD, "received": FIELD, "fix": FIELD}),
    public_message=st.none() | FIELD,
)
def test_every_error_has_equal_public_fields_on_both_sides_of_the_wire(kind, what, where, others, public_message):
    sent = kind(what, where=where, public_message=public_message, **others)
    for error in (sent, sent.disclosed()):
        received = sent_on(error)
        assert type(received) is kind
        assert received.fields == error.public_fields
        assert received.party == "shop"
        assert str(received).endswith(error.public_message)
    assert sent.disclosed().public_fields == sent.disclosed().fields


@given(fields=st.builds(ErrorFields, **dict.fromkeys(("what", "where", "expected", "received", "fix"), st.text())))
def test_bounded_fields_can_be_printed_and_stay_as_they_are_where_they_are_short(fields):
    shortened = bounded(fields)
    assert bounded(shortened) == shortened
    for name, text in vars(shortened).items():
        given = getattr(fields, name)
        assert text.isprintable()
        assert len(text) == len(given)
        assert all(one in (other, "?") for one, other in zip(text, given, strict=True))


def test_a_class_about_an_owners_own_things_tells_what_was_chosen_and_nothing_else():
    """A raiser that forgets to choose tells less, not more."""
    own = {DataError, ModelError, StorageError}
    assert {kind for kind in KINDS if kind.summary} == own
    for kind in own:
        unchosen = kind("columns missing: salary", where="/srv/shop/train.csv", received="columns age, zip")
        chosen = kind("columns missing: salary", where="train.csv", public_message="1 column is missing")
        assert json.loads(error_to_status(unchosen)[1]) == {"code": kind.code, "what": kind.summary}
        assert json.loads(error_to_status(chosen)[1]) == {"code": kind.code, "what": "1 column is missing"}
        assert "salary" in str(chosen)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_path_that_an_error_arose_at_stays_on_its_machine(kind):
    path = Path("/srv/shop of mine/bob.pem")
    error = kind("is open to others", where=path, fix=f"chmod 600 {path}")
    assert str(error) == f"{path}: is open to others; chmod 600 {path}"
    disclosed = error.disclosed()
    assert str(disclosed) == disclosed.public_message
    assert disclosed.public_message == "a file of its own: is open to others; chmod 600 a file of its own"
    assert "/" not in error_to_status(disclosed)[1]
    assert "/" not in error_to_status(error)[1]


def test_no_error_turns_its_path_into_a_text_before_it_is_raised():
    """A text cannot be told from what a coordinator may read; a path can."""
    party = Path(errors.__file__).parent
    calls = [node for path in party.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    where = [
        keyword.value
        for node in calls
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "where"
    ]
    assert len(where) > 50
    assert not [ast.unparse(one) for one in where if ast.unparse(one).startswith("str(")]


@given(text=st.text())
def test_an_error_is_one_line_that_moves_no_cursor(text):
    error = ConfigurationError(text, where=text, expected=text, received=text, fix=text, public_message=text)
    texts = (str(error), error.public_message, *vars(error.fields).values(), *vars(error.disclosed().fields).values())
    assert all(one.isprintable() for one in texts)


def test_error_names_the_party_that_sent_it():
    assert str(sent_on(PolicyError("refused"))) == "shop: refused"
    assert str(sent_on(PolicyError("refused", where="step 3"))) == "shop: step 3: refused"
    assert str(sent_on(PolicyError("refused", where="shop: step 3"))) == "shop: step 3: refused"
    assert str(sent_on(PolicyError("refused", where="shopping"))) == "shop: shopping: refused"
    assert str(sent_on(PolicyError("refused", where="shop"), party="bank")) == "bank: shop: refused"


@pytest.mark.parametrize("text", ["a", "%", '"', "é\n", "\U0001f600"], ids=ascii)
def test_error_on_the_wire_is_short_ascii_whatever_it_says(text):
    """gRPC would drop longer details, and with them what the error says."""
    long = text * 10 * MAXIMUM_MESSAGE_CHARACTERS
    status, details = error_to_status(PolicyError(long, where=long, expected=long, received=long, fix=long))
    assert status is grpc.StatusCode.PERMISSION_DENIED
    assert details.isascii()
    assert "\n" not in details
    assert len(details) + 2 * details.count("%") <= MAXIMUM_DETAILS_BYTES
    assert set(json.loads(details)) == {"code", "what"}, "what happened comes first"
    cost = {"a": 1, "%": 1, '"': 1}.get(text, 2 if text < "\uffff" else 4)
    assert len(json.loads(details)["what"]) >= MAXIMUM_MESSAGE_CHARACTERS // cost


def test_error_that_this_version_does_not_know_is_internal():
    assert type(error_from_code("of a later version", ErrorFields(what="text"), party="shop")) is InternalError

    class Unlisted(SplitError):
        code = "unlisted"

    assert error_to_status(Unlisted("text"))[0] is grpc.StatusCode.INTERNAL


DEEP = "[" * 5000
NO_ERRORS = {
    "nothing": "",
    "plain text": "plain",
    "a list": "[]",
    "a number": "1",
    "a text": '"text"',
    "null": "null",
    "no fields": '{"code": "policy"}',
    "no code": '{"what": "x"}',
    "an earlier version's": '{"code": "policy", "message": "x"}',
    "a code that is a number": '{"code": 1, "what": "x"}',
    "a code that is a list": '{"code": ["policy"], "what": "x"}',
    "what that is null": '{"code": "policy", "what": null}',
    "what that is an object": '{"code": "policy", "what": {"a": "b"}}',
    "where that is a number": '{"code": "policy", "what": "x", "where": 1}',
    "a fix that is a list": '{"code": "policy", "what": "x", "fix": ["y"]}',
    "half": '{"code": "policy", "what": "x"',
    "deep": DEEP,
    "deep within a field": f'{{"code": "policy", "what": {DEEP}',
    "a huge number": f'{{"code": "policy", "what": {"9" * 5000}}}',
    "huge": json.dumps({"code": "policy", "what": "x" * MAXIMUM_DETAILS_BYTES}),
    "deeper and huge": "[" * 10_000_000,
}


@pytest.mark.parametrize("details", NO_ERRORS.values(), ids=NO_ERRORS)
def test_details_that_no_party_sends_tell_what_the_connection_did(details):
    received = error_from_rpc(FailedCall(grpc.StatusCode.INTERNAL, details), "shop", "host:1")
    assert type(received) is ConnectionLostError
    assert str(received) == "party shop at host:1: call failed with INTERNAL"


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5)
NAMES = ("code", "what", "where", "expected", "received", "fix", "message", "public_message", "party", "__class__")
CODES = st.sampled_from(list(ERRORS_BY_CODE))
HOSTILE = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), JSON | CODES) | st.fixed_dictionaries(
    {"code": CODES | st.text(), "what": st.text()}, optional=dict.fromkeys(NAMES[2:], st.text() | JSON)
)


@given(content=HOSTILE)
def test_a_hostile_party_makes_no_more_of_an_error_than_short_text(content):
    received = error_from_rpc(FailedCall(grpc.StatusCode.INTERNAL, json.dumps(content)), "shop", "host:1")
    assert type(received) in ERRORS_BY_CODE.values()
    assert str(received).isprintable()
    assert len(str(received)) <= MAXIMUM_MESSAGE_CHARACTERS + len("shop: ; expected ; received ; : ")
    assert str(received).startswith(("shop:", "party shop at host:1:"))


def test_fields_of_a_hostile_party_move_no_cursor_and_claim_no_other_sender():
    escape = "\x1b]0;owned\x07\x1b[2J\r\n\u202e\ud800"
    fields = {"what": escape, "where": f"bank: {escape}", "expected": escape, "received": escape, "fix": escape}
    content = {"code": "policy", **fields, "party": "bank", "extra": {"what": escape}, escape: escape}
    received = error_from_rpc(FailedCall(grpc.StatusCode.INTERNAL, json.dumps(content)), "shop", "host:1")
    assert type(received) is PolicyError
    assert received.party == "shop"
    assert str(received).startswith("shop: bank: ?]0;owned??[2J")
    assert all(text.isprintable() for text in (str(received), *vars(received.fields).values()))


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
