"""The label party's decisions after each epoch, and the weights that it may restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from party.channel.decision_channel import DecisionChannel
from party.cut.state import State
from party.metrics.pass_metrics import PassMetrics
from party.pb.party_pb2 import Envelope
from party.protocol.early_stopping import Decision, EarlyStopping
from party.protocol.label_halves import TrainableHalves
from party.protocol.schedule import Exchange


class EpochDecisions:
    """Decides whether training continues; all of its own models save or restore the weights of an epoch.

    Args:
        stopping: watches the metric.
        heads: this party's models, those of every head.
        channels: channels by feature party.
    """

    def __init__(
        self, stopping: EarlyStopping, heads: Sequence[TrainableHalves], channels: Mapping[str, DecisionChannel]
    ) -> None:
        self._stopping = stopping
        self._heads = tuple(heads)
        self._channels = dict(channels)

    @property
    def best_epoch(self) -> int | None:
        """The best epoch so far; None if there is none."""
        return self._stopping.best_epoch

    def decide(self, exchange: Exchange, validation: PassMetrics) -> tuple[Decision, list[Envelope]]:
        """Decides after an epoch.

        Args:
            exchange: the exchange of the decision.
            validation: metrics of the held-out rows after this epoch, of the head that makes what leaves.

        Returns:
            The decision, and its envelopes, one for every feature party.

        Raises:
            ConfigurationError: the metric to decide by does not exist.
        """
        decision = self._stopping.judge(exchange.epoch, validation.values)
        for halves in self._heads:
            if decision.stop and decision.epoch != exchange.epoch:
                halves.restore_epoch(decision.epoch)
            elif not decision.stop and self._stopping.restores_best:
                halves.save_epoch(exchange.epoch, self._stopping.best_epochs)
        content = decision.to_bytes()
        return decision, [channel.envelope(content, exchange.position) for channel in self._channels.values()]

    def state(self) -> State:
        """The state that later decisions depend on."""
        return self._stopping.state()

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        self._stopping.set_state(state)
