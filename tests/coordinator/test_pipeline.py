import threading
from collections import deque
from types import SimpleNamespace

import pytest

from coordinator.pipeline import PipelinedPass
from coordinator.traffic import Traffic

WAIT_SECONDS = 60  # bounds a failure of the test; nothing waits so long


class AnnouncedLock:
    """A lock that says when the main thread is about to wait for it."""

    def __init__(self):
        self.awaited = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.awaited.set()
        self._lock.acquire()

    def __exit__(self, *error):
        self._lock.release()


def test_no_gradient_is_sent_after_a_pass_that_failed():
    """The pass fails while the other thread is sending: it ends only once that call is sent, and none follows."""
    sending, ended, sent = threading.Event(), threading.Event(), []

    def begin_backward(position, gradients):
        sending.set()
        made._sending.awaited.wait(WAIT_SECONDS)
        sent.append((position, ended.is_set()))
        return list

    def progress(traffic):
        sending.wait(WAIT_SECONDS)
        raise KeyboardInterrupt

    relay = SimpleNamespace(
        traffic=Traffic(),
        begin_forward=lambda position: list,
        begin_fuse=lambda position, hiddens: list,
        begin_backward=begin_backward,
    )
    made = PipelinedPass(relay, 4, depth=2, requested=deque())
    made._sending = AnnouncedLock()
    with pytest.raises(KeyboardInterrupt):
        made.run(progress, None)
    ended.set()
    assert sent == [(0, False)]
