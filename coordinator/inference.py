"""A pass outside of training with several batches under way: nobody waits for a round trip of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from coordinator.session import Session
from coordinator.traffic import Progress, Traffic, envelope_bytes
from party.configuration.run import INFERENCE_BATCHES_UNDER_WAY
from party.pb import party_pb2 as pb

Hiddens = Callable[[], Sequence[pb.Envelope]]


class InferencePass:
    """Asks for hiddens ahead, and hands them on without waiting for what the label party makes of those before.

    Outside of training no batch depends on another one, and every party answers in the order of its calls: the
    network decides nothing. Hiddens of a bounded number of batches are asked for, those of as many are being fused.

    Args:
        session: at the first batch of the pass.
        traffic: counts what goes through.
        end: position after the last batch of the pass.
        training: batches of training from `end` on whose hiddens may be asked for beside the last ones of the pass.
    """

    def __init__(self, session: Session, traffic: Traffic, end: int, training: int) -> None:
        self._session = session
        self._traffic = traffic
        self._end = end
        self._positions = iter(range(traffic.exchanges, end + training))
        self._asked: deque[Hiddens] = deque()
        self._fusing: deque[Callable[[], pb.FuseReply]] = deque()

    def run(self, progress: Progress) -> deque[Hiddens]:
        """Sends the batches of the pass through all parties.

        Args:
            progress: told after every batch.

        Returns:
            Hiddens of the batches of training, in their order; they may still be on their way.
        """
        self._ask(INFERENCE_BATCHES_UNDER_WAY)
        for position in range(self._traffic.exchanges, self._end):
            hiddens = self._asked.popleft()()
            self._ask(1)
            if len(self._fusing) == INFERENCE_BATCHES_UNDER_WAY:
                self._await_fused(progress)
            self._fuse(position, hiddens)
        self._ask(None)
        while self._fusing:
            self._await_fused(progress)
        return self._asked

    def _ask(self, most: int | None) -> None:
        """Asks for the hiddens of so many batches more, of all that are left where None, as far as there are any."""
        for position in islice(self._positions, most):
            self._asked.append(begin_forward(self._session, position))

    def _fuse(self, position: int, hiddens: Sequence[pb.Envelope]) -> None:
        label = self._session.label
        request = pb.FuseRequest(session=self._session.reference, position=position, hiddens=hiddens)
        self._fusing.append(label.begin(label.stub.Fuse, request))
        self._traffic.hidden_bytes += envelope_bytes(hiddens)

    def _await_fused(self, progress: Progress) -> None:
        self._fusing.popleft()()
        self._traffic.exchanges += 1
        progress(self._traffic)


def begin_forward(session: Session, position: int) -> Hiddens:
    """Asks every feature party for its hiddens of a batch; the result waits for them."""
    request = pb.ForwardRequest(session=session.reference, position=position)
    pending = [party.begin(party.stub.Forward, request) for party in session.features]
    return lambda: [result().hidden for result in pending]
