"""When the epochs of a run end, and what their batches take on the wire."""

from __future__ import annotations

import time

from coordinator.session import CoordinatedSession
from coordinator.traffic import Traffic


class EpochClock:
    """To be told of every batch, from the first one on.

    Attributes:
        seconds: from the first batch until the held-out rows of each epoch were through.
        training_bytes: of hiddens and gradients of training, each message counted once though it travels two hops.
        held_out_bytes: of hiddens of held-out rows, likewise.
    """

    def __init__(self, session: CoordinatedSession) -> None:
        self._exchanges_per_epoch = session.exchanges // session.run.training.epochs
        self._started_seconds = time.perf_counter()
        self._steps = self._hidden_bytes = 0
        self.seconds: list[float] = []
        self.training_bytes = self.held_out_bytes = 0

    def __call__(self, traffic: Traffic) -> None:
        trained, self._steps = traffic.steps > self._steps, traffic.steps
        # Hiddens are counted before anybody is told of their batch, and those of held-out rows after the last step.
        hidden_bytes, self._hidden_bytes = traffic.hidden_bytes - self._hidden_bytes, traffic.hidden_bytes
        if trained:
            self.training_bytes += hidden_bytes
        else:
            self.held_out_bytes += hidden_bytes
        if traffic.exchanges % self._exchanges_per_epoch == 0:
            self.seconds.append(time.perf_counter() - self._started_seconds)

    def complete(self, traffic: Traffic) -> None:
        """Adds the gradients, all of which are of training, once the run is through."""
        self.training_bytes += traffic.gradient_bytes
