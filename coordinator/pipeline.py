"""A training pass with several batches under way, so that no party waits for a network round trip."""

from __future__ import annotations

import queue
import threading
from collections import deque
from functools import partial

from coordinator.relay import BatchRelay, Envelopes, PendingEnvelopes
from coordinator.traffic import BetweenSteps, Progress


class PipelinedPass:
    """Relays hiddens and gradients of several batches concurrently.

    The schedule fixes the order of updates, whatever the network does. The caller's thread relays hiddens to the label
    party, a second thread relays gradients to the feature parties, and each party answers in the order of its calls.

    Args:
        relay: of a training session, at the first batch of the pass or resumed within it.
        end: position after the last batch of the pass.
        depth: largest number of batches under way.
        requested: pending hiddens of the first batches that an inference pass requested ahead; consumed.
    """

    def __init__(self, relay: BatchRelay, end: int, *, depth: int, requested: deque[PendingEnvelopes]) -> None:
        self._relay = relay
        self._traffic = relay.traffic
        self._end = end
        self._depth = depth
        self._requested = requested
        self._hiddens: queue.SimpleQueue[PendingEnvelopes] = queue.SimpleQueue()
        self._fused: queue.SimpleQueue[tuple[int, PendingEnvelopes] | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._relayed = self._traffic.exchanges
        self._condition = threading.Condition()
        self._sending = threading.Lock()  # held while a call is sent, so that none follows the end of the pass
        self._abandoned = False

    def run(self, progress: Progress, between_steps: BetweenSteps | None) -> None:
        """Trains on the batches of the pass.

        Args:
            progress: called after every batch.
            between_steps: asked before every batch whether it needs the parties to pause.
        """
        first = self._traffic.exchanges
        for position in range(first, min(first + self._depth, self._end)):
            self._hiddens.put(self._requested.popleft() if self._requested else self._relay.begin_forward(position))
        thread = threading.Thread(target=self._relay_gradients, name="gradients", daemon=True)
        thread.start()
        try:
            for position in range(first, self._end):
                if between_steps is not None and between_steps.is_due(self._traffic):
                    self._await_steps_before(position)
                    between_steps.run(self._traffic)
                self._fuse(position)
                progress(self._traffic)
        except BaseException:
            # Not joined: the thread may wait for a party that hangs. It ends with the session's streams.
            with self._sending:
                self._abandoned = True
            raise
        finally:
            self._fused.put(None)
        thread.join()
        self._raise_failure()
        # The last replies hold no hiddens: the batches that follow belong to another pass.
        for _ in range(self._hiddens.qsize()):
            self._hiddens.get()()

    def _fuse(self, position: int) -> None:
        hiddens = self._hiddens.get()()
        self._fused.put((position, self._relay.begin_fuse(position, hiddens)))
        self._traffic.exchanges += 1
        self._traffic.steps += 1

    def _relay_gradients(self) -> None:
        """Relays gradients to the feature parties, in the order of the batches; runs in the second thread."""
        try:
            while (item := self._fused.get()) is not None:
                position, reply = item
                gradients = reply()
                with self._sending:
                    if self._abandoned:  # a call now would be sent over the stream of a later session
                        return
                    self._hiddens.put(self._relay.begin_backward(position, gradients))
                with self._condition:
                    self._relayed = position + 1
                    self._condition.notify()
        except BaseException as error:  # raised again in the caller's thread
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._condition:
            self._failure = error
            self._condition.notify()
        self._hiddens.put(self._raise_failure_instead)

    def _raise_failure_instead(self) -> Envelopes:
        self._raise_failure()
        return ()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _await_steps_before(self, position: int) -> None:
        """Waits until every party has completed all batches before a position; later ones remain under way."""
        with self._condition:
            self._condition.wait_for(lambda: self._relayed == position or self._failure is not None)
        self._raise_failure()
        arrived = [self._hiddens.get()() for _ in range(self._hiddens.qsize())]
        for hiddens in arrived:
            self._hiddens.put(partial(_already_received, hiddens))


def _already_received(hiddens: Envelopes) -> Envelopes:
    return hiddens
