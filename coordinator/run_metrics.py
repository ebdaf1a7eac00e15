"""The metrics of a coordinator for Prometheus, made from its own counters when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from coordinator.run_activity import RunCounts, RunPhase
from party import __version__
from party.monitoring.metrics_port import NAMESPACE, phase_metric


class RunMetrics(Collector):
    """Shows how far training is and what it costs; metrics of the model are in the history, not here.

    Every label of a metric comes from a closed set: names of parties, kinds of messages, codecs, phases.

    Args:
        coordinator: name of the coordinator.
        counts: returns what it has done.
        retries: returns by party how many calls were repeated because of a connection.
    """

    def __init__(
        self, coordinator: str, counts: Callable[[], RunCounts], retries: Callable[[], Mapping[str, int]]
    ) -> None:
        self._about = {"coordinator": coordinator, "version": __version__}
        self._counts = counts
        self._retries = retries

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics at this moment."""
        counts = self._counts()
        phases = [phase.value for phase in RunPhase]
        yield InfoMetricFamily(f"{NAMESPACE}_coordinator", "The coordinator and its version.", value=self._about)
        yield phase_metric("run_phase", "What the coordinator does for the run.", phases, counts.phase.value)
        yield GaugeMetricFamily(f"{NAMESPACE}_run_step", "Training steps of the run that are done.", counts.step)
        yield GaugeMetricFamily(f"{NAMESPACE}_run_steps", "Training steps of the whole run.", counts.run_steps)
        for name, text, value in (
            ("steps", "Training steps, those repeated after a return to a checkpoint included.", counts.steps),
            ("rows", "Rows of the epochs that ended, those of repeated epochs included.", counts.rows),
            ("sessions", "Training sessions that were opened.", counts.sessions),
            ("checkpoints", "Checkpoints that all parties committed.", counts.checkpoints),
        ):
            yield CounterMetricFamily(f"{NAMESPACE}_{name}", text, value)
        relayed = CounterMetricFamily(
            f"{NAMESPACE}_relayed_bytes", "Bytes of the messages between parties.", labels=["direction", "codec"]
        )
        for (kind, codec), size in counts.relayed.items():
            relayed.add_metric([kind, codec], size)
        yield relayed
        retries = CounterMetricFamily(
            f"{NAMESPACE}_retries", "Attempts that were repeated because of a connection.", labels=["party"]
        )
        for party, repeated in self._retries().items():
            retries.add_metric([party], repeated)
        yield retries
