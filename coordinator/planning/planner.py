"""Measures a run before it starts, and predicts the speed of schedules and codecs."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from coordinator.configuration import CoordinatorConfiguration
from coordinator.party_client import PartyClient
from coordinator.planning.link import Link, measure_link
from coordinator.planning.measurements import Measurements, RunSize
from coordinator.planning.miniature import Miniature, run_miniature
from coordinator.planning.prediction import Prediction, predict
from coordinator.planning.recommendation import Recommendation, recommend
from coordinator.progress import Display
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from party.configuration.candidates import CANDIDATE_CODECS
from party.configuration.run import CodecsSection, RunConfiguration, ScheduleSection, TrainingSection
from party.errors import StoppedError
from party.pb.handshake_pb2 import Purpose

DEPTHS = (2, 4, 8, 16, 32)
SCHEDULES = (ScheduleSection(), *(ScheduleSection(kind="pipelined", depth=depth) for depth in DEPTHS))
FEW_STEPS = 16  # of an epoch of a miniature
STEPS_BEYOND_DEPTH = 40  # with the pipeline full
# Factor on the depth: with just enough batches under way, the busiest party would still wait for late ones.
FULL_PIPE = 2.0
SPARE_DEPTH = 2
MINIATURE_EPOCHS = 2
LINK_SHARE = 0.5  # of the busiest party's step, which a link may take without slowing training
SHORTEST_STEP_SECONDS = 1e-6
MEASUREMENT_COUNT = 4  # one after the other


@dataclass(frozen=True)
class Plan:
    """The result of planning a run.

    Attributes:
        measured: everything that was measured.
        predictions: of every schedule with every usable pair of codecs.
        recommendation: the recommended one of them.
    """

    measured: Measurements
    predictions: tuple[Prediction, ...]
    recommendation: Recommendation


def make_plan(
    clients: Mapping[str, PartyClient],
    configuration: CoordinatorConfiguration,
    *,
    lease: bytes,
    display: Display,
    stopped: threading.Event,
) -> Plan:
    """Measures the network and the parties, predicts, and recommends.

    Args:
        clients: by party name.
        configuration: of the coordinator.
        lease: of the coordinator's journal.
        display: shows what is being measured.
        stopped: once set, planning stops before its next run.

    Returns:
        The plan; if the file names codecs, only these are recommended.

    Raises:
        StoppedError: `stopped` was set.
        SplitError: an error of a party, such as a refusal by its policy.
    """
    runs = MiniatureRuns(clients, configuration, lease=lease, stopped=stopped)
    measured = _measure(clients, configuration, runs, display)
    given = configuration.given_codecs
    others = () if configuration.training.secure_aggregation else CANDIDATE_CODECS  # a masked sum has no other codecs
    same = [CodecsSection(hidden=one, gradient=one) for one in others if measured.usable(one)]
    candidates = list(dict.fromkeys([*same, *([] if given is None else [given])]))
    predictions = tuple(predict(measured, schedule, codecs) for codecs in candidates for schedule in SCHEDULES)
    return Plan(measured, predictions, recommend([one for one in predictions if given in (None, one.codecs)]))


class MiniatureRuns:
    """Trains miniatures, short runs for measurements, each in a session of its own.

    Args:
        clients: by party name.
        configuration: of the coordinator.
        lease: of the coordinator's journal.
        stopped: once set, no further miniature is trained.
    """

    def __init__(
        self,
        clients: Mapping[str, PartyClient],
        configuration: CoordinatorConfiguration,
        *,
        lease: bytes,
        stopped: threading.Event,
    ) -> None:
        self._clients = clients
        self._configuration = configuration
        self._lease = lease
        self._stopped = stopped

    def run(self, schedule: ScheduleSection, codecs: CodecsSection, steps: int) -> tuple[Miniature, list[int]]:
        """Trains one miniature.

        Args:
            schedule: of the miniature.
            codecs: of the miniature.
            steps: number of steps in each of its epochs.

        Returns:
            The measurements of the miniature, and the rows in common of each dataset that it reads.

        Raises:
            StoppedError: `stopped` was set.
        """
        if self._stopped.is_set():
            raise StoppedError("stopped while the run was being planned", fix="start it again: no run was started")
        run = _miniature_run(self._configuration, schedule, codecs, steps)
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_MEASURE, run_id=new_run_id(), lease=self._lease, configuration=run.to_bytes()
        )
        with CoordinatedSession(self._clients, run, proposal) as session:
            return run_miniature(session), [one.rows for one in session.datasets[run.label_party]]


def _measure(
    clients: Mapping[str, PartyClient], configuration: CoordinatorConfiguration, runs: MiniatureRuns, display: Display
) -> Measurements:
    display.update("measuring the network", 0, MEASUREMENT_COUNT)
    links = {name: measure_link(client) for name, client in clients.items()}
    given = configuration.training.codecs
    # The parties may have trained nothing since they started, so the first epoch of this miniature is not typical.
    display.update("measuring two batches under way", 1, MEASUREMENT_COUNT)
    two_under_way, _ = runs.run(ScheduleSection(kind="pipelined", depth=2), given, FEW_STEPS)
    display.update("measuring synchronous steps", 2, MEASUREMENT_COUNT)
    synchronous, rows = runs.run(ScheduleSection(), given, FEW_STEPS)
    display.update("measuring a full pipe", 3, MEASUREMENT_COUNT)
    codecs = given if configuration.given_codecs is not None else _pipelined_codecs(synchronous, links, given)
    size = run_size(configuration.training, *rows)
    depth = _full_pipe_depth(synchronous, size)
    full_pipe, _ = runs.run(ScheduleSection(kind="pipelined", depth=depth), codecs, depth + STEPS_BEYOND_DEPTH)
    display.update("measured", MEASUREMENT_COUNT, MEASUREMENT_COUNT)
    return Measurements(
        label_party=configuration.label_party,
        links=links,
        costs=synchronous.costs,
        synchronous=synchronous.times,
        two_under_way=two_under_way.times,
        full_pipe=full_pipe.times,
        overhead_bytes=_overhead_bytes(synchronous, configuration.label_party),
        held_out_row_bytes=_held_out_row_bytes(synchronous, size),
        size=size,
    )


def _full_pipe_depth(synchronous: Miniature, size: RunSize) -> int:
    """Returns the number of batches under way that keeps the busiest party busy all the time."""
    steps_at_a_time = synchronous.times.step_seconds / max(_busiest_seconds(synchronous), SHORTEST_STEP_SECONDS)
    # The steps that fill the pipeline say nothing about its throughput: half of an epoch must remain.
    most = max(DEPTHS[0], min(DEPTHS[-1], size.epoch_steps // 2))
    return min(math.ceil(FULL_PIPE * steps_at_a_time) + SPARE_DEPTH, most)


def run_size(training: TrainingSection, rows: int, validation_rows: int = 0) -> RunSize:
    """Computes the size of a run.

    Args:
        training: parameters of the run.
        rows: number of rows in common.
        validation_rows: number of rows of the dataset that is held out; 0 without one.

    Returns:
        Rows, batches, steps and epochs.
    """
    held_out = validation_rows or math.floor(training.validation_fraction * rows)
    training_rows = rows - (0 if validation_rows else held_out)
    whole, rest = divmod(training_rows, training.batch_size)
    epoch_steps = max(1, whole + (1 if rest and training.remainder == "keep" else 0))
    steps = epoch_steps * training.epochs
    if training.maximum_steps is not None:
        steps = min(steps, training.maximum_steps)
    return RunSize(
        training_rows=training_rows,
        held_out_rows=held_out,
        batch_size=training.batch_size,
        evaluation_batch_size=training.evaluation_batch_size,
        epoch_steps=epoch_steps,
        steps=steps,
        epochs=-(-steps // epoch_steps),
    )


def _miniature_run(
    configuration: CoordinatorConfiguration, schedule: ScheduleSection, codecs: CodecsSection, steps: int
) -> RunConfiguration:
    """Returns the file's run with epochs of a few steps; early stopping decides after each, but never stops it."""
    run = configuration.run_with(schedule, codecs)
    changes: dict[str, object] = {"maximum_steps": MINIATURE_EPOCHS * steps}
    if run.training.early_stopping is not None:
        early_stopping = run.training.early_stopping.model_copy(update={"patience": MINIATURE_EPOCHS})
        changes["early_stopping"] = early_stopping
    return run.model_copy(update={"training": run.training.model_copy(update=changes)})


def _pipelined_codecs(synchronous: Miniature, links: Mapping[str, Link], given: CodecsSection) -> CodecsSection:
    """Returns the codecs to measure the full pipeline with: the file's, unless a link would be the bottleneck."""
    costs = synchronous.costs
    link_seconds = max(
        costs[name][one].message_bytes / min(link.to_party_bytes_per_second, link.from_party_bytes_per_second)
        for name, link in links.items()
        for one in (given.hidden, given.gradient)
    )
    if link_seconds < _busiest_seconds(synchronous) * LINK_SHARE:
        return given
    usable = [one for one in CANDIDATE_CODECS if all(one in known for known in costs.values())]
    if not usable:
        return given
    leanest = min(usable, key=lambda one: sum(known[one].message_bytes for known in costs.values()))
    return CodecsSection(hidden=leanest, gradient=leanest)


def _busiest_seconds(miniature: Miniature) -> float:
    return max(miniature.times.busy_seconds(name) for name in miniature.times.activity_seconds)


def _overhead_bytes(synchronous: Miniature, label_party: str) -> float:
    codecs, costs = synchronous.times.codecs, synchronous.costs[label_party]
    return synchronous.step_bytes - costs[codecs.hidden].message_bytes - costs[codecs.gradient].message_bytes


def _held_out_row_bytes(synchronous: Miniature, size: RunSize) -> float:
    """Returns message bytes per held-out row; the batches that a miniature leaves out are whole ones."""
    left_out = size.held_out_batches - synchronous.times.held_out_batches
    rows = size.held_out_rows - left_out * size.evaluation_batch_size
    return synchronous.held_out_bytes / rows if rows else 0.0
