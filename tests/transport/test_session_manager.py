"""A session that takes long to build holds up nobody but the next one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from party.errors import PolicyError, SessionError, SessionLostError
from party.runtime.session_manager import SILENCE_SECONDS, Owner, SessionManager
from party.runtime.session_work import no_work

OWNER, OTHER = Owner("coordinator", bytes(32)), Owner("second", bytes(32))
RUN_ID = bytes(16)
FIRST, SECOND = b"1" * 16, b"2" * 16
TIMEOUT_SECONDS = 60


class Built:
    """A session, as far as its manager looks at it."""

    broken = False
    work, repeated_calls = no_work(), 0

    def __init__(self):
        self.ended = ""

    def end(self, reason):
        self.ended = reason


class SlowBuild:
    """Builds a session once it is told to."""

    def __init__(self, error=None):
        self.begun, self.told = threading.Event(), threading.Event()
        self._error = error
        self.session = None

    def __call__(self):
        self.begun.set()
        if not self.told.wait(TIMEOUT_SECONDS):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        self.session = Built()
        return self.session


class Clock:
    """Seconds that a test sets; whoever asks for them holds the manager's lock, which `asked` shows."""

    def __init__(self):
        self.seconds = 0.0
        self.asked = threading.Event()

    def __call__(self):
        self.asked.set()
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    return SessionManager("alice", clock)


@pytest.fixture
def threads():
    with ThreadPoolExecutor() as made:
        yield made


@pytest.fixture
def slow(sessions, threads):
    """A build that has begun, and ends with the test at the latest."""
    build = SlowBuild()
    build.opening = threads.submit(sessions.open, OWNER, RUN_ID, build, FIRST)
    assert build.begun.wait(TIMEOUT_SECONDS)
    yield build
    build.told.set()


def quickly(threads, call, *arguments):
    """Makes a call that has to return although a session is being built."""
    return threads.submit(call, *arguments).result(TIMEOUT_SECONDS)


def test_a_status_a_call_and_a_refusal_come_while_a_session_is_built(sessions, threads, slow, clock):
    clock.seconds += 2 * SILENCE_SECONDS  # the owner is not silent: this party is at work for it
    assert quickly(threads, lambda: sessions.current) is None
    with pytest.raises(SessionError, match="serves another coordinator"):
        quickly(threads, sessions.open, OTHER, RUN_ID, Built)
    with pytest.raises(SessionLostError, match="no such session"):
        quickly(threads, sessions.session, OWNER, RUN_ID, FIRST)
    slow.told.set()
    assert slow.opening.result(TIMEOUT_SECONDS) is slow.session
    assert sessions.session(OWNER, RUN_ID, FIRST) is slow.session


def test_what_is_closed_while_it_is_built_never_opens(sessions, threads, slow):
    quickly(threads, sessions.close, OWNER, RUN_ID, FIRST)
    following = threads.submit(sessions.open, OTHER, RUN_ID, Built, SECOND)
    slow.told.set()
    with pytest.raises(SessionLostError, match="before it was built"):
        slow.opening.result(TIMEOUT_SECONDS)
    assert slow.session.ended == "given up while it was built"
    opened = following.result(TIMEOUT_SECONDS)
    assert sessions.session(OTHER, RUN_ID, SECOND) is opened


def test_the_owner_opens_anew_while_it_is_built_and_only_the_latest_counts(sessions, threads, slow, clock):
    """One at a time is built: a coordinator that keeps opening must not make a party build everything at once."""
    unwanted = SlowBuild()
    clock.asked.clear()
    superseded = threads.submit(sessions.open, OWNER, RUN_ID, unwanted, SECOND)
    assert clock.asked.wait(TIMEOUT_SECONDS)
    latest = threads.submit(sessions.open, OWNER, RUN_ID, Built, b"3" * 16)
    with pytest.raises(SessionLostError, match="before it was built"):
        superseded.result(TIMEOUT_SECONDS)  # it holds no thread until the first one is built
    assert not unwanted.begun.is_set()
    slow.told.set()
    session = latest.result(TIMEOUT_SECONDS)
    assert sessions.session(OWNER, RUN_ID, b"3" * 16) is session
    with pytest.raises(SessionLostError):
        slow.opening.result(TIMEOUT_SECONDS)
    assert slow.session.ended == "given up while it was built"


def test_an_end_does_not_wait_for_what_is_built(sessions, threads, slow):
    quickly(threads, sessions.shut_down)
    slow.told.set()
    with pytest.raises(SessionLostError):
        slow.opening.result(TIMEOUT_SECONDS)
    assert slow.session.ended == "given up while it was built"
    with pytest.raises(SessionLostError):
        sessions.open(OWNER, RUN_ID, Built)


def test_a_build_that_fails_leaves_the_party_free(sessions, threads):
    build = SlowBuild(SessionError("cannot be built"))
    opening = threads.submit(sessions.open, OWNER, RUN_ID, build, FIRST)
    assert build.begun.wait(TIMEOUT_SECONDS)
    build.told.set()
    with pytest.raises(SessionError, match="cannot be built"):
        opening.result(TIMEOUT_SECONDS)
    assert sessions.open(OTHER, RUN_ID, Built, SECOND) is sessions.session(OTHER, RUN_ID, SECOND)


def test_a_request_that_is_refused_ends_nobody_elses_session(sessions, clock):
    former = sessions.open(OWNER, RUN_ID, Built, FIRST)
    clock.seconds += SILENCE_SECONDS

    def refuse():
        assert not former.ended
        raise PolicyError("refused by policy.coordinators.purposes")

    with pytest.raises(PolicyError):
        sessions.open(OTHER, RUN_ID, Built, SECOND, admit=refuse)
    assert sessions.session(OWNER, RUN_ID, FIRST) is former
    with pytest.raises(SessionError, match="serves another coordinator"):  # it was heard meanwhile
        sessions.open(OTHER, RUN_ID, Built, SECOND)


def test_an_owner_that_is_heard_while_another_one_is_admitted_keeps_its_session(sessions, clock):
    former = sessions.open(OWNER, RUN_ID, Built, FIRST)
    clock.seconds += SILENCE_SECONDS
    with pytest.raises(SessionError, match="serves another coordinator"):
        sessions.open(OTHER, RUN_ID, Built, SECOND, admit=lambda: sessions.session(OWNER, RUN_ID, FIRST))
    assert not former.ended


def test_an_owner_is_not_silent_while_its_call_is_answered(sessions, clock):
    former = sessions.open(OWNER, RUN_ID, Built, FIRST)
    for answered_meanwhile in (True, False):
        with sessions.hearing(former), sessions.hearing(former) if answered_meanwhile else nullcontext():
            clock.seconds += 2 * SILENCE_SECONDS
            with pytest.raises(SessionError, match="serves another coordinator"):
                sessions.open(OTHER, RUN_ID, Built, SECOND)
        clock.seconds += SILENCE_SECONDS - 1.0
        with pytest.raises(SessionError, match="serves another coordinator"):
            sessions.open(OTHER, RUN_ID, Built, SECOND)
    clock.seconds += 1.0
    following = sessions.open(OTHER, RUN_ID, Built, SECOND)
    assert former.ended == "replaced by another session"
    with sessions.hearing(former):  # a call of a session that has ended keeps no other one alive
        clock.seconds += SILENCE_SECONDS
        sessions.open(OWNER, RUN_ID, Built, FIRST)
    assert following.ended
