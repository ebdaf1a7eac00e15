"""The metrics of a party for Prometheus, made from its own counters when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from party import __version__
from party.ledger.entry import Event, LedgerEntry
from party.monitoring.metrics_port import NAMESPACE, phase_metric
from party.protocol.phases import SessionPhase
from party.runtime.activity import ActivityView
from party.runtime.session_work import SessionWork

IDLE = "idle"


class PartyMetrics(Collector):
    """Shows what a party computes, sends, receives and stores.

    No value depends on a label, a cell or a weight, and every label of a metric comes from a closed set: names of
    parties, codecs, stages of the computation, kinds of lines. Metrics of the model are not among them: whoever reaches
    the port would learn them.

    Args:
        party: name of the party.
        role: `label` or `feature`.
        activity: returns what the party has done.
        ledger: returns the lines of the ledger.
    """

    def __init__(
        self,
        party: str,
        role: str,
        activity: Callable[[], ActivityView],
        ledger: Callable[[], Sequence[LedgerEntry]],
    ) -> None:
        self._about = {"party": party, "role": role, "version": __version__}
        self._activity = activity
        self._ledger = ledger

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics at this moment."""
        view = self._activity()
        yield InfoMetricFamily(f"{NAMESPACE}_party", "The party and its version.", value=self._about)
        yield from _session_metrics(view)
        yield from _work_metrics(view.work)
        lines = Counter(entry.event for entry in self._ledger())
        ledger = GaugeMetricFamily(
            f"{NAMESPACE}_ledger_lines",
            "Lines of the ledger by event, those of earlier starts included.",
            labels=["event"],
        )
        for event in get_args(Event):
            ledger.add_metric([event], lines[event])
        yield ledger


def _session_metrics(view: ActivityView) -> Iterable[Metric]:
    current = IDLE if view.phase is None else view.phase.value
    phases = (IDLE, *(phase.value for phase in SessionPhase))
    yield phase_metric("session_phase", "Phase of the open session.", phases, current)
    yield _gauge("session_step", "Training steps of the run of the open session that are done.", view.step)
    yield _counter("sessions", "Sessions that were opened.", view.sessions)
    yield _counter("repeated_calls", "Calls that were answered again with their first reply.", view.repeated_calls)


def _work_metrics(work: SessionWork) -> Iterable[Metric]:
    yield _counter("steps", "Training steps, those repeated after a return to a checkpoint included.", work.steps)
    rows = CounterMetricFamily(f"{NAMESPACE}_sent_rows", "Rows of hiddens and gradients sent.", labels=["kind"])
    for kind, count in work.sent_rows.items():
        rows.add_metric([kind], count)
    yield rows
    sizes = CounterMetricFamily(
        f"{NAMESPACE}_message_bytes", "Bytes of hiddens and gradients.", labels=["direction", "codec"]
    )
    for (way, codec), total in work.message_bytes.items():
        sizes.add_metric([way, codec], total)
    yield sizes
    stages = CounterMetricFamily(f"{NAMESPACE}_stage_seconds", "Seconds of computation by stage.", labels=["stage"])
    for stage, seconds in work.stage_seconds.items():
        stages.add_metric([stage], seconds)
    yield stages
    written = work.checkpoints
    yield _counter("checkpoints", "Checkpoints that were written.", written.count)
    yield _counter("checkpoint_seconds", "Seconds of writing checkpoints.", written.seconds)
    yield _counter("checkpoint_bytes", "Bytes of the checkpoints that were written.", written.size_bytes)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"{NAMESPACE}_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{NAMESPACE}_{name}", text, value=value)
