"""Watches the training runs of a coordinator, as its file says: metrics on a port, event files, MLflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from coordinator.configuration import CoordinatorConfiguration
from coordinator.history import History, epoch_figures
from coordinator.run_activity import RunActivity
from coordinator.run_watchers import RunWatcher, RunWatchers, WatchedEpoch, WatchedSession
from coordinator.session import CoordinatedSession
from coordinator.traffic import Traffic
from party.monitoring.libraries import require_library
from party.pb import party_pb2 as pb

SHORTEST_SECONDS = 1e-9


class RunWatch:
    """Counts what runs do, and tells whoever watches them.

    Args:
        configuration: of the coordinator.
        retries: returns by party how many calls were repeated because of a connection.
        notify: called with a text about a watcher that failed.

    Attributes:
        activity: what all runs of this process did.
    """

    def __init__(
        self,
        configuration: CoordinatorConfiguration,
        retries: Callable[[], Mapping[str, int]],
        notify: Callable[[str], None],
    ) -> None:
        self._configuration = configuration
        self._retries = retries
        self._notify = notify
        self._watchers = RunWatchers((), notify)
        self.activity = RunActivity()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Watches one run within the context.

        Raises:
            InstallationError: a library that an option needs is not installed.
            ConfigurationError: a port or a server of the options cannot be used.
        """
        with ExitStack() as held:
            self._watchers = RunWatchers(self._made(), self._notify)
            if self._configuration.prometheus is not None:
                held.callback(self._open_port())
            yield

    @contextmanager
    def session(self, session: CoordinatedSession, watched: WatchedSession) -> Iterator[Traffic]:
        """Watches a session of the run within the context.

        Args:
            session: the session, opened for training.
            watched: what is known of it.

        Yields:
            The traffic for the session to count in.
        """
        with self.activity.session(session) as traffic:
            self._watchers.begin(watched)
            yield traffic

    def epochs(
        self, session: CoordinatedSession, traffic: Traffic, bytes_before: int
    ) -> Callable[[Sequence[pb.EpochReport]], None]:
        """Makes what is to be called with the epochs of a session that ended.

        Args:
            session: the session.
            traffic: of the session.
            bytes_before: bytes of all messages between parties in earlier sessions of the run.
        """
        last_seconds, last_steps = time.monotonic(), traffic.steps

        def ended(epochs: Sequence[pb.EpochReport]) -> None:
            nonlocal last_seconds, last_steps
            seconds, steps = time.monotonic(), traffic.steps
            rows = (steps - last_steps) * session.run.training.batch_size
            rate = rows / max(seconds - last_seconds, SHORTEST_SECONDS)
            last_seconds, last_steps = seconds, steps
            for epoch in epochs:
                self.activity.epoch_ended(epoch.train.rows)
                self._watchers.epoch(
                    WatchedEpoch(
                        number=epoch.epoch + 1,
                        figures=epoch_figures(epoch),
                        samples_per_second=rate,
                        message_bytes=bytes_before + traffic.message_bytes,
                    )
                )

        return ended

    def end(self, outcome: str, history: History | None = None) -> None:
        """The run has ended here.

        Args:
            outcome: `trained`, `stopped` or `failed`.
            history: of a run that is trained.
        """
        self._watchers.end(outcome, history)

    def _made(self) -> list[RunWatcher]:
        configuration, made = self._configuration, list[RunWatcher]()
        if configuration.tensorboard is not False:
            require_library("tensorboard")
            from coordinator.event_files import RunEvents  # noqa: PLC0415  # its library loads NumPy

            folder = configuration.tensorboard
            made.append(RunEvents(configuration.path(folder) if isinstance(folder, str) else None))
        if configuration.mlflow is not None:
            require_library("mlflow")
            from coordinator.mlflow_runs import MlflowRun  # noqa: PLC0415  # the library is an option

            made.append(MlflowRun(configuration.mlflow))
        return made

    def _open_port(self) -> Callable[[], None]:
        require_library("prometheus")
        from coordinator.run_metrics import RunMetrics  # noqa: PLC0415  # the library is an option
        from party.monitoring.metrics_port import MetricsPort  # noqa: PLC0415

        configuration = self._configuration
        metrics = RunMetrics(configuration.coordinator, self.activity.counts, self._retries)
        if configuration.prometheus is None:
            raise RuntimeError("no port is configured")
        port = MetricsPort(configuration.prometheus, [metrics])
        self._notify(f"metrics are on port {port.port}")
        return port.close
