import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from party.errors import SealError, SessionError
from party.protocol.calls import CACHED_REPLIES, RepeatableCalls


class Counter:
    """Computes a reply that tells how often it was computed."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        return f"reply {self.count}".encode()


def test_repeated_call_gets_the_bytes_of_its_first_answer():
    calls, compute = RepeatableCalls("shop"), Counter()
    assert [calls.answer(("Forward", 1), b"request", compute) for _ in range(3)] == [b"reply 1"] * 3
    assert calls.answer(("Forward", 2), b"request", compute) == b"reply 2"
    assert calls.answer(("Fuse", 1), b"request", compute) == b"reply 3"


def test_other_request_in_the_place_of_an_answered_one_is_refused():
    calls, compute = RepeatableCalls("shop"), Counter()
    calls.answer(("Fuse", 1), b"request", compute)
    with pytest.raises(SessionError, match=r"^shop: EQUIVOCATION: call Fuse.* was repeated with a different request"):
        calls.answer(("Fuse", 1), b"other request", compute)
    assert compute.count == 1
    assert calls.answer(("Fuse", 1), b"request", compute) == b"reply 1"


def test_error_leaves_a_call_unanswered():
    calls, compute = RepeatableCalls("shop"), Counter()

    def fail():
        raise SealError("altered")

    with pytest.raises(SealError):
        calls.answer(("Backward", 0), b"altered request", fail)
    assert calls.answer(("Backward", 0), b"request", compute) == b"reply 1"


def test_only_the_latest_replies_are_kept():
    calls, compute = RepeatableCalls("shop"), Counter()
    for position in range(CACHED_REPLIES + 1):
        calls.answer(("Forward", position), b"request", compute)
    assert calls.answer(("Forward", 1), b"request", compute) == b"reply 2"
    assert calls.answer(("Forward", 0), b"request", compute) == f"reply {CACHED_REPLIES + 2}".encode()


def test_calls_of_other_kinds_push_no_reply_out():
    calls, compute = RepeatableCalls("shop"), Counter()
    calls.answer(("Produce", "alice", 0), b"request", compute)
    for position in range(10):
        calls.answer(("Produce", "charlie", position), b"request", compute)
        calls.answer(("Consume", "alice", position), b"request", compute)
    assert calls.answer(("Produce", "alice", 0), b"request", compute) == b"reply 1"


def test_calls_at_the_same_time_are_computed_once_and_wait_for_each_other():
    calls = RepeatableCalls("shop")
    together, inside, most = threading.Barrier(4), [], []

    def compute():
        inside.append(None)
        most.append(len(inside))
        inside.pop()
        return f"reply {len(most)}".encode()

    def call(number):
        together.wait(timeout=20)
        return calls.answer(("Forward", number % 2), b"request", compute)

    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(call, range(4)))
    assert most == [1, 1]
    assert replies[0] == replies[2] != replies[1] == replies[3]
