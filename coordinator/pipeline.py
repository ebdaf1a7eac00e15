"""A pass of training with several batches under way: nobody waits for a round trip of the network."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from coordinator.inference import Hiddens, begin_forward
from coordinator.session import Session
from coordinator.traffic import BetweenSteps, Progress, Traffic, envelope_bytes
from party.pb import party_pb2 as pb


class PipelinedPass:
    """Hands the label party hiddens as they come, and the feature parties gradients as they come.

    The order of updates is fixed by the schedule, whatever the network does: this thread asks for hiddens and sends
    them on, another one asks for gradients and sends them on; each party answers in the order of its calls.

    Args:
        session: opened for training, at the first batch of the pass or resumed in it.
        traffic: counts what goes through.
        end: position after the last batch of the pass.
        depth: batches under way at a time.
        asked: hiddens of the first batches, as far as they were asked for before; taken over.
    """

    def __init__(self, session: Session, traffic: Traffic, end: int, depth: int, asked: deque[Hiddens]) -> None:
        self._session = session
        self._traffic = traffic
        self._end = end
        self._depth = depth
        self._asked = asked
        self._hiddens: queue.SimpleQueue[Hiddens] = queue.SimpleQueue()
        self._fused: queue.SimpleQueue[tuple[int, Callable[[], pb.FuseReply]] | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._relayed = self._traffic.exchanges
        self._moved = threading.Condition()
        self._given_up = False

    def run(self, progress: Progress, between_steps: BetweenSteps | None) -> None:
        """Trains on the batches of the pass.

        Args:
            progress: told after every batch.
            between_steps: asked before every batch whether it wants the parties to stand still for a moment.
        """
        first = self._traffic.exchanges
        for position in range(first, min(first + self._depth, self._end)):
            self._hiddens.put(self._asked.popleft() if self._asked else begin_forward(self._session, position))
        relay = threading.Thread(target=self._relay_gradients, name="gradients", daemon=True)
        relay.start()
        try:
            for position in range(first, self._end):
                if between_steps is not None and between_steps.wants(self._traffic):
                    self._stand_still(position)
                    between_steps.visit(self._traffic)
                self._fuse(position)
                progress(self._traffic)
        except BaseException:
            self._given_up = True
            raise
        finally:
            self._fused.put(None)
        relay.join()
        self._raise_failure()
        for _ in range(self._hiddens.qsize()):  # the last answers hold no hiddens: their batches begin another pass
            self._hiddens.get()()

    def _fuse(self, position: int) -> None:
        hiddens = self._hiddens.get()()
        label = self._session.label
        request = pb.FuseRequest(session=self._session.reference, position=position, hiddens=hiddens)
        self._fused.put((position, label.begin(label.stub.Fuse, request)))
        self._traffic.hidden_bytes += envelope_bytes(hiddens)
        self._traffic.exchanges += 1
        self._traffic.steps += 1

    def _relay_gradients(self) -> None:
        """The other thread: gradients to the feature parties, in the order of the batches."""
        try:
            while (item := self._fused.get()) is not None:
                position, reply = item
                gradients = reply().gradients
                if self._given_up:  # a call now would be the first one over a later session's line
                    return
                self._traffic.gradient_bytes += envelope_bytes(gradients)
                self._hiddens.put(self._backward(position, gradients))
                with self._moved:
                    self._relayed = position + 1
                    self._moved.notify()
        except BaseException as error:  # handed to the thread that waits for it
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._moved:
            self._failure = error
            self._moved.notify()
        self._hiddens.put(self._raise_failure_instead)

    def _raise_failure_instead(self) -> Sequence[pb.Envelope]:
        self._raise_failure()
        return ()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _stand_still(self, position: int) -> None:
        """Waits until every party has done all that came before a batch; what is under way stays under way."""
        with self._moved:
            self._moved.wait_for(lambda: self._relayed == position or self._failure is not None)
        self._raise_failure()
        arrived = [self._hiddens.get()() for _ in range(self._hiddens.qsize())]
        for hiddens in arrived:
            self._hiddens.put(partial(_as_it_is, hiddens))

    def _backward(self, position: int, gradients: Sequence[pb.Envelope]) -> Hiddens:
        by_party = {envelope.receiver: envelope for envelope in gradients}
        pending = []
        for party in self._session.features:
            request = pb.BackwardRequest(
                session=self._session.reference, position=position, gradient=by_party.get(party.name)
            )
            pending.append(party.begin(party.stub.Backward, request))
        return lambda: [
            reply.next_hidden for reply in [result() for result in pending] if reply.HasField("next_hidden")
        ]


def _as_it_is(hiddens: Sequence[pb.Envelope]) -> Sequence[pb.Envelope]:
    return hiddens
