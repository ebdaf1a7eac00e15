"""Measures a run before it begins, and predicts what schedules and codecs would bring."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from coordinator.configuration import CoordinatorConfiguration
from coordinator.connection import PartyConnection
from coordinator.planning.link import Link, measure_link
from coordinator.planning.measurements import Measurements, RunSize
from coordinator.planning.miniature import Miniature, run_miniature
from coordinator.planning.prediction import Prediction, predict
from coordinator.planning.recommendation import Recommendation, recommend
from coordinator.progress import Display
from coordinator.session import Proposal, Session, new_run_id
from party.configuration.candidates import CANDIDATE_CODECS
from party.configuration.run import CodecsSection, RunConfiguration, ScheduleSection, TrainingSection
from party.errors import StoppedError
from party.pb.handshake_pb2 import Purpose

DEPTHS = (2, 4, 8, 16, 32)
SCHEDULES = (ScheduleSection(), *(ScheduleSection(kind="pipelined", depth=depth) for depth in DEPTHS))
FEW_STEPS = 16  # of an epoch in miniature
STEPS_BEYOND_DEPTH = 40  # with the pipe full
FULL_PIPE = 2.0  # with as many under way as fit in the busiest's time, it would still wait for what comes late
SPARE_DEPTH = 2
MINIATURE_EPOCHS = 2
LINK_SHARE = 0.5  # of the busiest party's step, that a link may take unnoticed
SHORTEST_STEP_SECONDS = 1e-6
STAGES = 4  # what is measured one after the other


@dataclass(frozen=True)
class Plan:
    """What a planner came to.

    Attributes:
        measured: everything that was measured.
        predictions: of every schedule with all codecs that may be used.
        recommendation: the one of them to take.
    """

    measured: Measurements
    predictions: tuple[Prediction, ...]
    recommendation: Recommendation


def make_plan(
    connections: Mapping[str, PartyConnection],
    configuration: CoordinatorConfiguration,
    lease: bytes,
    display: Display,
    stopped: threading.Event,
) -> Plan:
    """Measures the network and the parties, predicts, and recommends.

    Args:
        connections: by party.
        configuration: of the coordinator.
        lease: of the coordinator's journal.
        display: shows what is being measured.
        stopped: whoever sets it wants no plan any more.

    Returns:
        The plan; where the file names codecs, only they are recommended.

    Raises:
        StoppedError: it was stopped.
        SplitError: what a party answered, a refusal by its policy included.
    """
    measured = _measure(connections, configuration, lease, display, stopped)
    given = configuration.given_codecs
    same = [CodecsSection(hidden=one, gradient=one) for one in CANDIDATE_CODECS if measured.usable(one)]
    candidates = list(dict.fromkeys([*same, *([] if given is None else [given])]))
    predictions = tuple(predict(measured, schedule, codecs) for codecs in candidates for schedule in SCHEDULES)
    return Plan(measured, predictions, recommend([one for one in predictions if given in (None, one.codecs)]))


def _measure(
    connections: Mapping[str, PartyConnection],
    configuration: CoordinatorConfiguration,
    lease: bytes,
    display: Display,
    stopped: threading.Event,
) -> Measurements:
    def miniature(schedule: ScheduleSection, codecs: CodecsSection, steps: int) -> tuple[Miniature, int]:
        """Runs one; yields the rows in common besides."""
        if stopped.is_set():
            raise StoppedError("stopped while the run was being planned", fix="start it again: nothing has begun")
        run = _miniature_run(configuration, schedule, codecs, steps)
        proposal = Proposal(Purpose.PURPOSE_MEASURE, new_run_id(), lease, run.to_bytes())
        with Session(connections, run, proposal) as session:
            return run_miniature(session), next(one.rows for one in session.datasets[run.label_party])

    display.update("measuring the network", 0, STAGES)
    links = {name: measure_link(connection) for name, connection in connections.items()}
    given = configuration.training.codecs
    # The first may come upon parties that have trained nothing since they started: its first epoch predicts nothing.
    display.update("measuring two batches under way", 1, STAGES)
    two_under_way, _ = miniature(ScheduleSection(kind="pipelined", depth=2), given, FEW_STEPS)
    display.update("measuring synchronous steps", 2, STAGES)
    synchronous, rows = miniature(ScheduleSection(), given, FEW_STEPS)
    display.update("measuring a full pipe", 3, STAGES)
    codecs = given
    if configuration.given_codecs is None:
        codecs = _pipelined_codecs(synchronous, links, given)
    size = run_size(configuration.training, rows)
    steps_at_a_time = synchronous.times.step_seconds / max(_busiest_seconds(synchronous), SHORTEST_STEP_SECONDS)
    # The steps that fill the pipe tell nothing of its pace: half of an epoch must be left.
    most = max(DEPTHS[0], min(DEPTHS[-1], size.epoch_steps // 2))
    depth = min(math.ceil(FULL_PIPE * steps_at_a_time) + SPARE_DEPTH, most)
    full_pipe, _ = miniature(ScheduleSection(kind="pipelined", depth=depth), codecs, depth + STEPS_BEYOND_DEPTH)
    display.update("measured", STAGES, STAGES)
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


def run_size(training: TrainingSection, rows: int) -> RunSize:
    """How much a run trains.

    Args:
        training: its parameters.
        rows: in common.
    """
    held_out = math.floor(training.validation_fraction * rows)
    training_rows = rows - held_out
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
    """The file's run with epochs of so many steps; it never stops early, and decides after every epoch all the same."""
    run = configuration.run_with(schedule, codecs)
    changes: dict[str, object] = {"maximum_steps": MINIATURE_EPOCHS * steps}
    if run.training.early_stopping is not None:
        patient = run.training.early_stopping.model_copy(update={"patience": MINIATURE_EPOCHS})
        changes["early_stopping"] = patient
    return run.model_copy(update={"training": run.training.model_copy(update=changes)})


def _pipelined_codecs(synchronous: Miniature, links: Mapping[str, Link], given: CodecsSection) -> CodecsSection:
    """Codecs to measure the pace of the parties with: others than the file's only where a link would hold them up."""
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
    """A miniature's last held-out batch is as small as the run's; what it leaves out are whole ones."""
    left_out = size.held_out_batches - synchronous.times.held_out_batches
    rows = size.held_out_rows - left_out * size.evaluation_batch_size
    return synchronous.held_out_bytes / rows if rows else 0.0
