"""What a round trip costs a pipelined run: epochs with and without a delay in turn, in one session.

Samples per second within an epoch, from when the pipeline is full until its
last batch. Epochs begin with an empty pipeline; the first one traces and
compiles, and is not counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from coordinator.exchanges import run_exchanges
from coordinator.local_federation import LocalFederation
from coordinator.session import CoordinatedSession
from coordinator.traffic import Traffic
from tests.benchmarks.movielens_parties import federation_of, open_run
from tests.support.proxy import TcpProxy


class DelayInTurn:
    """Switches the delay on and off after every epoch, and times the batches of each."""

    def __init__(self, session: CoordinatedSession, proxies: Sequence[TcpProxy], delay_seconds: float) -> None:
        training = session.run.training
        self._exchanges_per_epoch = session.exchanges // training.epochs
        self._batch_size = training.batch_size
        self._depth = training.schedule.batches_under_way
        self._proxies = proxies
        self._delay_seconds = delay_seconds
        self._steps = 0
        self._arrivals: list[float] = []
        self.far: list[float] = []
        self.near: list[float] = []
        self._is_far = True
        self._switch()

    def __call__(self, traffic: Traffic) -> None:
        if traffic.steps > self._steps:
            self._arrivals.append(time.perf_counter())
        self._steps = traffic.steps
        if traffic.exchanges % self._exchanges_per_epoch == 0:
            filled, last = self._arrivals[self._depth], self._arrivals[-1]
            samples = (len(self._arrivals) - 1 - self._depth) * self._batch_size
            (self.far if self._is_far else self.near).append(samples / (last - filled))
            self._arrivals = []
            self._switch()

    def _switch(self) -> None:
        self._is_far = not self._is_far
        for proxy in self._proxies:
            proxy.delay_seconds = self._delay_seconds if self._is_far else 0.0


def measure_distance(
    parties: LocalFederation, proxies: dict[str, TcpProxy], training: dict[str, object], depth: int, pairs: int
) -> dict[str, object]:
    """Samples per second at a depth, with the delay that the proxies have now and without."""
    delay_seconds = next(iter(proxies.values())).delay_seconds
    addresses = {name: f"127.0.0.1:{proxy.port}" for name, proxy in proxies.items()}
    schedule = {"kind": "pipelined", "depth": depth}
    settings = {**training, "epochs": 1 + 2 * pairs, "schedule": schedule}
    with federation_of(parties, settings, addresses) as federation, open_run(federation) as session:
        watch = DelayInTurn(session, list(proxies.values()), delay_seconds)
        run_exchanges(session, watch)
        for proxy in proxies.values():
            proxy.delay_seconds = delay_seconds
    ratios = [far / near for far, near in zip(watch.far, watch.near[1:], strict=True)]
    return {
        "depth": depth,
        "pairs": len(ratios),
        "samples_per_second_near": statistics.median(watch.near[1:]),
        "samples_per_second_far": statistics.median(watch.far),
        "ratio_median": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }
