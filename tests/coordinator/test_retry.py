"""What fails because of a connection is repeated for as long as it may be, on a clock that only the test moves."""

import pytest

from coordinator.retry import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, NOTIFY_AFTER_SECONDS, RetryPolicy
from party.errors import ConnectionLostError, PolicyError

SECONDS = 60.0


class Clock:
    """A monotonic clock, and an event whose `wait` moves it; set once the clock gets to `stop_seconds`."""

    def __init__(self, stop_seconds=float("inf")):
        self.seconds, self.delays, self._stop_seconds = 1000.0, [], 1000.0 + stop_seconds

    def __call__(self):
        return self.seconds

    def wait(self, seconds):
        self.delays.append(seconds)
        self.seconds += seconds
        return self.seconds >= self._stop_seconds


def policy(clock, notify=lambda text: None, draw=lambda: 1.0):
    return RetryPolicy(SECONDS, clock, notify=notify, monotonic=clock, draw=draw)


class Attempt:
    def __init__(self, failures, error=ConnectionLostError):
        self.made, self._failures, self._error = 0, failures, error

    def __call__(self):
        self.made += 1
        if self.made <= self._failures:
            raise self._error("is away", where="alice")
        return "result"


@pytest.mark.parametrize("failures", [0, 1, 5])
def test_it_tries_until_it_succeeds_with_growing_delays(failures):
    clock, attempt = Clock(), Attempt(failures)
    assert policy(clock).run(attempt) == "result"
    assert attempt.made == failures + 1
    assert clock.delays == [FIRST_DELAY_SECONDS * 2**number for number in range(failures)]


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_it_gives_up_after_its_time_and_pauses_no_longer_than_it_may(draw):
    clock, attempt = Clock(), Attempt(10**6)
    with pytest.raises(ConnectionLostError, match="alice: is away"):
        policy(clock, draw=lambda: draw).run(attempt)
    assert attempt.made == len(clock.delays) + 1
    assert SECONDS <= clock.seconds - 1000.0 < SECONDS + LONGEST_DELAY_SECONDS
    assert max(clock.delays) == LONGEST_DELAY_SECONDS * (0.5 + 0.5 * draw)


def test_other_errors_and_a_stop_end_it_at_once():
    clock, refused = Clock(), Attempt(1, PolicyError)
    with pytest.raises(PolicyError):
        policy(clock).run(refused)
    assert (refused.made, clock.delays) == (1, [])
    clock, attempt = Clock(stop_seconds=1.0), Attempt(10**6)
    with pytest.raises(ConnectionLostError):
        policy(clock).run(attempt)
    assert 1.0 <= clock.seconds - 1000.0 < 2.0


def test_a_failure_that_lasts_is_notified_once_and_a_short_one_never():
    for failures, expected in ((3, []), (20, ["trying again for up to 1 min 0 s: alice: is away"])):
        clock, texts = Clock(), []
        policy(clock, texts.append).run(Attempt(failures))
        assert texts == expected
        assert (clock.seconds - 1000.0 > NOTIFY_AFTER_SECONDS) == bool(expected)
