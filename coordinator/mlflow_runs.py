"""A training run as a run of MLflow: its parameters, what the label party released, and its history."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from coordinator.history import HISTORY_FILE, History
from coordinator.run_watchers import WatchedEpoch, WatchedSession
from party.configuration.monitoring import MlflowSection
from party.configuration.run import RunConfiguration
from party.errors import ConfigurationError

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # a coordinator tells nobody but its own server
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # standard output is for results
}
DEFAULTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
LAST_WAIT_SECONDS = 60.0  # for what is still to be sent when a run ends
RUN_ID_TAG = "splitrain.run_id"
CONTINUES_TAG = "splitrain.continues"
LONGEST_PARAMETER_CHARACTERS = 500
MOST_METRICS_AT_ONCE = 1000  # that a server takes in one call
LAST_METRIC = "message_bytes"  # the last one that is sent of an epoch: who has it has all
NANOSECONDS_IN_A_MILLISECOND = 1_000_000
STATUS = {"trained": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
ARTIFACTS = (HISTORY_FILE, "report.html")


class MlflowRun:
    """Writes a run to MLflow in a thread of its own, so that training waits for no server.

    A run that resumes goes on in the run of MLflow that has its run_id. Epochs that it repeats have the same figures,
    and those that MLflow has are not sent again.

    Args:
        section: address and experiment.

    Raises:
        ConfigurationError: the experiment cannot be reached or made.
    """

    name = "mlflow"

    def __init__(self, section: MlflowSection) -> None:
        os.environ.update(ENVIRONMENT)
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient  # noqa: PLC0415  # it takes seconds, and reads the environment as it loads

        try:
            self._client = MlflowClient(tracking_uri=section.tracking_uri)
            known = self._client.get_experiment_by_name(section.experiment)
            self._experiment = known.experiment_id if known else self._client.create_experiment(section.experiment)
        except Exception as error:
            raise ConfigurationError(
                f"the experiment cannot be used ({type(error).__name__})",
                where="mlflow",
                fix="see whether the server of tracking_uri answers and takes this experiment, or leave out mlflow",
            ) from None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
        self._pending: list[Future[None]] = []
        self._run = ""
        self._sent_epochs: set[int] = set()
        self._folder = Path()

    def begin(self, session: WatchedSession) -> None:
        """Finds or makes the run of MLflow."""
        self._folder = session.folder
        self._send(lambda: self._open(session))

    def epoch(self, epoch: WatchedEpoch) -> None:
        """Sends the figures of an epoch; undefined ones are left out."""
        cost = {"samples_per_second": epoch.samples_per_second, LAST_METRIC: float(epoch.message_bytes)}
        figures = {name: value for name, value in {**epoch.figures, **cost}.items() if math.isfinite(value)}
        self._send(lambda: self._log(figures, epoch.number))

    def end(self, outcome: str, history: History | None) -> None:
        """Sends the files of the run, and how it ended."""
        self._send(lambda: self._close(outcome))
        end_seconds = time.monotonic() + LAST_WAIT_SECONDS
        try:
            for sent in self._pending:
                sent.result(max(0.0, end_seconds - time.monotonic()))
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _send(self, call: Callable[[], None]) -> None:
        """Raises what an earlier call failed with, and sends no more then."""
        for sent in self._pending:
            if sent.done():
                sent.result()
        self._pending = [sent for sent in self._pending if not sent.done()]
        self._pending.append(self._thread.submit(call))

    def _open(self, session: WatchedSession) -> None:
        found = self._client.search_runs([self._experiment], f"tags.`{RUN_ID_TAG}` = '{session.run_id}'", max_results=1)
        if found:
            self._run = found[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
            self._sent_epochs = {one.step for one in self._client.get_metric_history(self._run, LAST_METRIC)}
            return
        tags = {RUN_ID_TAG: session.run_id, **({CONTINUES_TAG: session.continues} if session.continues else {})}
        self._run = self._client.create_run(self._experiment, run_name=session.run_id[:8], tags=tags).info.run_id
        for name, value in parameters(session.run).items():
            self._client.log_param(self._run, name, value)

    def _log(self, figures: Mapping[str, float], epoch: int) -> None:
        from mlflow.entities import Metric  # noqa: PLC0415  # loaded by now

        if epoch in self._sent_epochs:
            return
        now = time.time_ns() // NANOSECONDS_IN_A_MILLISECOND
        metrics = [Metric(name, value, now, epoch) for name, value in figures.items()]
        for first in range(0, len(metrics), MOST_METRICS_AT_ONCE):
            self._client.log_batch(self._run, metrics=metrics[first : first + MOST_METRICS_AT_ONCE])
        self._sent_epochs.add(epoch)

    def _close(self, outcome: str) -> None:
        for name in ARTIFACTS:
            if (self._folder / name).is_file():
                self._client.log_artifact(self._run, str(self._folder / name))
        self._client.set_terminated(self._run, status=STATUS[outcome])


def parameters(run: RunConfiguration) -> dict[str, str]:
    """The parameters of a run by dotted names, as the parties agree on them.

    Args:
        run: the run configuration.

    Returns:
        Texts, cut to the length that every version of MLflow takes.
    """
    found: dict[str, str] = {}

    def add(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                add(f"{prefix}.{name}" if prefix else name, inner)
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            found[prefix] = text[:LONGEST_PARAMETER_CHARACTERS]

    add("", run.model_dump(mode="json"))
    return found
