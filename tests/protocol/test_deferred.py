"""Values that are on their way: computed once, whoever asks, or given up."""

import threading

import pytest

from party.errors import SessionError
from party.protocol.deferred import Deferred

WAIT_SECONDS = 20.0
OVER = SessionError("the session has ended")


def test_a_value_is_computed_once_and_an_error_is_told_to_everybody():
    calls = []
    value = Deferred(lambda: calls.append(1) or "value")
    assert not value.is_ready
    assert [value.result(), value.result(), calls] == ["value", "value", [1]]
    assert value.is_ready
    failing = Deferred(lambda: calls.append(2) or 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            failing.result()
    assert calls == [1, 2]


def test_what_nobody_asked_for_is_given_up_and_never_computed():
    value = Deferred(lambda: pytest.fail("computed"))
    value.abandon(OVER)
    with pytest.raises(SessionError, match="the session has ended"):
        value.result()


def test_what_is_there_or_being_computed_cannot_be_given_up():
    begun, go_on, abandoned = threading.Event(), threading.Event(), threading.Event()

    def compute():
        begun.set()
        assert go_on.wait(WAIT_SECONDS)
        assert not abandoned.is_set(), "did not wait"
        return "value"

    value = Deferred(compute)
    asking = threading.Thread(target=value.result)
    asking.start()
    assert begun.wait(WAIT_SECONDS)
    abandoning = threading.Thread(target=lambda: (value.abandon(OVER), abandoned.set()))
    abandoning.start()
    go_on.set()
    for thread in (asking, abandoning):
        thread.join(WAIT_SECONDS)
    assert abandoned.is_set()
    assert value.result() == "value"
