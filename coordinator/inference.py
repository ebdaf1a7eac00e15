"""A pass outside training with several batches under way, so that no party waits for a network round trip."""

from __future__ import annotations

from collections import deque
from itertools import islice

from coordinator.relay import BatchRelay, PendingEnvelopes
from coordinator.traffic import Progress
from party.configuration.run import INFERENCE_BATCHES_UNDER_WAY


class InferencePass:
    """Requests hiddens ahead, and sends them to the label party without waiting for its earlier replies.

    Outside training no batch depends on another, and every party answers in the order of its calls, so results do not
    depend on the network. At most a fixed number of batches wait for their hiddens, and as many for the label party.

    Args:
        relay: of the session, at the first batch of the pass.
        end: position after the last batch of the pass.
        training: number of training batches from `end` on whose hiddens may be requested together with the last ones of
            the pass.
    """

    def __init__(self, relay: BatchRelay, end: int, training: int) -> None:
        self._relay = relay
        self._traffic = relay.traffic
        self._end = end
        self._positions = iter(range(relay.traffic.exchanges, end + training))
        self._requested: deque[PendingEnvelopes] = deque()
        self._fusing: deque[PendingEnvelopes] = deque()

    def run(self, progress: Progress) -> deque[PendingEnvelopes]:
        """Processes the batches of the pass with all parties.

        Args:
            progress: called after every batch.

        Returns:
            Pending hiddens of the training batches, in their order.
        """
        self._request(INFERENCE_BATCHES_UNDER_WAY)
        for position in range(self._traffic.exchanges, self._end):
            hiddens = self._requested.popleft()()
            self._request(1)
            if len(self._fusing) == INFERENCE_BATCHES_UNDER_WAY:
                self._await_fused(progress)
            self._fusing.append(self._relay.begin_fuse(position, hiddens, trains=False))
        self._request(None)
        while self._fusing:
            self._await_fused(progress)
        return self._requested

    def _request(self, most: int | None) -> None:
        """Requests the hiddens of up to `most` further batches; of all remaining ones if None."""
        for position in islice(self._positions, most):
            self._requested.append(self._relay.begin_forward(position))

    def _await_fused(self, progress: Progress) -> None:
        self._fusing.popleft()()
        self._traffic.exchanges += 1
        progress(self._traffic)
