"""Places of calls on a server of their own: what one caller holds, and what all hold together, is bounded."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import grpc
import pytest

from party.errors import ConnectionLostError
from party.transport.call_places import MAXIMUM_CALLS, MAXIMUM_CALLS_IN_ALL, MAXIMUM_WAITING_CALLS, CallPlaces
from party.transport.errors import error_to_status
from tests.support.calling import TIMEOUT_SECONDS, Silent

FULL = MAXIMUM_CALLS_IN_ALL // MAXIMUM_WAITING_CALLS  # callers that hold all places


class Server:
    """Answers every call of the callers that metadata name, those with a message once they may."""

    def __init__(self):
        self.places = CallPlaces("alice")
        self.may_answer = threading.Event()
        self.begun = threading.Semaphore(0)

    def answer(self, requests, context):
        caller = dict(context.invocation_metadata())["caller"]
        try:
            with self.places.place(caller, context) as received:
                raw = next(requests, b"")
                received()
                if raw:
                    self.begun.release()
                    assert self.may_answer.wait(TIMEOUT_SECONDS)
        except grpc.RpcError:
            pass  # cancelled
        except ConnectionLostError as error:
            status, details = error_to_status(error)
            context.set_code(status)
            context.set_details(details)
        return b""

    @contextmanager
    def calls(self):
        server = grpc.server(ThreadPoolExecutor(MAXIMUM_CALLS_IN_ALL + 4))
        handler = grpc.stream_unary_rpc_method_handler(self.answer)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", {"Call": handler})])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield channel.stream_unary("/test/Call")
        finally:
            self.may_answer.set()
            server.stop(None).wait()


@pytest.fixture
def server():
    return Server()


def named(number):
    return {"metadata": (("caller", f"caller-{number}"),)}


def call(method, number, raw=b""):
    return method(iter([raw]), timeout=TIMEOUT_SECONDS, **named(number))


def silent(method, number):
    """Holds as many waiting calls of a caller as may be; one more is refused."""
    held = Silent(method, MAXIMUM_WAITING_CALLS + 1, **named(number))
    (refusal,) = held.wait_for_refusals(1)
    assert "waits for the messages of too many calls" in json.loads(refusal)["what"]
    return held


def test_a_further_caller_gets_the_place_of_whoever_waits_with_the_most_calls(server):
    with server.calls() as method:
        held = [silent(method, number) for number in range(FULL)]
        assert call(method, FULL) == b""
        (details,) = held[0].wait_for_refusals(1)
        assert details == "CANCELLED"
        for one in held:
            one.end()
        answered = [sum(one.code() is grpc.StatusCode.OK for one in others.calls) for others in held]
        assert answered == [MAXIMUM_WAITING_CALLS - 1, *[MAXIMUM_WAITING_CALLS] * (FULL - 1)]


def test_calls_that_are_computed_are_bounded_also_once_they_are_cancelled(server):
    with server.calls() as method:
        computed = [method.future(iter([b"x"]), timeout=TIMEOUT_SECONDS, **named(0)) for _ in range(MAXIMUM_CALLS)]
        for _ in computed:
            assert server.begun.acquire(timeout=TIMEOUT_SECONDS)
        assert call(method, 1) == b""
        for one in computed:
            one.cancel()
            with pytest.raises(grpc.RpcError, match="has too many calls of this coordinator under way"):
                call(method, 0)
        server.may_answer.set()


class Uncancelled:
    """The context of a call whose message comes before it is cancelled."""

    def __init__(self):
        self.cancelled = False

    def cancel(self):
        self.cancelled = True

    def add_callback(self, callback):
        return True


def test_a_call_whose_message_comes_just_as_its_place_is_given_away_is_not_answered():
    places = CallPlaces("alice")
    with ExitStack() as held:
        contexts = [Uncancelled() for _ in range(MAXIMUM_CALLS_IN_ALL + 1)]
        received = [
            held.enter_context(places.place(f"caller-{number // MAXIMUM_WAITING_CALLS}", context))
            for number, context in enumerate(contexts)
        ]
        assert [one.cancelled for one in contexts] == [True, *[False] * MAXIMUM_CALLS_IN_ALL]
        with pytest.raises(ConnectionLostError, match="has too many calls under way"):
            received[0]()
        for one in received[1:]:
            one()
