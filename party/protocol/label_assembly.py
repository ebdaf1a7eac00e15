"""Assembles the label party's side of a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from party.channel.compose import LabelChannels
from party.configuration.run import Mode
from party.cut.hidden import FloatArray
from party.cut.stateful import Stateful
from party.metrics.groups import Groups
from party.metrics.released_metrics import Releaser, release_nothing
from party.protocol.containment import Containment
from party.protocol.early_stopping import EarlyStopping
from party.protocol.epoch_books import EpochBooks
from party.protocol.epoch_decisions import EpochDecisions
from party.protocol.gradient_sender import GradientSender
from party.protocol.label_exchanges import LabelExchanges
from party.protocol.label_halves import Halves, TrainableHalves
from party.protocol.label_heads import LabelHead, LabelHeads
from party.protocol.local_steps import LabelLocalSteps
from party.protocol.peer_entities import PeerEntities
from party.protocol.pipelined_steps import PipelinedSteps
from party.protocol.presence import Presence
from party.protocol.private_head import PrivateHead
from party.protocol.request_journal import RequestJournal
from party.protocol.schedule import InferenceSchedule, Schedule
from party.protocol.synchronous_steps import SynchronousSteps
from party.protocol.timings import Timings
from party.protocol.training_steps import StepSetup, TrainingSteps


@dataclass(frozen=True)
class PrivateSetup:
    """The parts of the private head.

    Attributes:
        halves: its models; trainable ones in a session that trains.
        labels: the true labels of all rows in the common order, float32 (rows, labels).
        containment: keeps its errors.
    """

    halves: Halves
    labels: FloatArray
    containment: Containment


@dataclass(frozen=True, kw_only=True)
class LabelSetup:
    """The parts of the label party's side of a session.

    Attributes:
        party: name of this party.
        schedule: the session's schedule.
        channels: channels to and from the feature parties.
        halves: the models that make what leaves; trainable ones in a session that trains.
        labels: the labels that they learn from, of all rows in the common order, float32 (rows, labels): drawn ones
            where labels are private.
        entities: find the entities that the rows of a batch refer to; None where they are the rows themselves.
        presence: says which rows are present at each party; by default all are.
        private: the private head; None without private labels, and in a prediction.
        containment: keeps the errors of `halves` in a prediction where they are the private head; else None.
        minimum_rows: fewest rows behind a metric that is released to the coordinator.
        timings: records how long each activity takes.
        background: single-threaded executor that computes where several batches are under way.
        releaser: computes the metrics of a pass that are released to the coordinator.
        on_pass: called when a pass of training or over held-out rows has ended and this party's own metrics are
            available.
        local_steps: makes further updates after each exchange; None without local updates.
        journal: records the requests and compares those that are repeated after the run went back to a checkpoint; None
            in a session without checkpoints.
        groups: number of each row's group by column, of all rows, int32 (rows, columns); None if no metric has groups.
        stopping_mode: whether smaller or larger values of the metric of early stopping are better.
    """

    party: str
    schedule: Schedule
    channels: LabelChannels
    halves: Halves
    labels: FloatArray
    entities: PeerEntities | None = None
    presence: Presence = field(default_factory=Presence)
    private: PrivateSetup | None = None
    containment: Containment | None = None
    minimum_rows: int
    timings: Timings
    background: Executor
    releaser: Releaser = release_nothing
    on_pass: Callable[[], None] = lambda: None
    local_steps: LabelLocalSteps | None = None
    journal: RequestJournal | None = None
    groups: Groups | None = None
    stopping_mode: Mode = "min"

    @property
    def peer_entities(self) -> PeerEntities:
        """The entities that the rows of a batch refer to."""
        return self.entities or PeerEntities(len(self.labels))


def label_exchanges(setup: LabelSetup) -> LabelExchanges:
    """Makes the label party's exchanges of a session."""
    heads = _heads(setup)
    steps, decisions = None, None
    checkpointed: dict[str, Stateful] = {}
    if isinstance(setup.halves, TrainableHalves):
        private = _private_head(setup, heads)
        steps = _steps(setup, setup.halves, heads.released.books, private)
        decisions = _decisions(setup, [setup.halves] if private is None else [setup.halves, private.halves])
        checkpointed = {
            **_trained_parts(setup, setup.halves),
            **({} if decisions is None else {"stopping": decisions}),
            **steps.parts(),
            **({} if private is None else private.parts()),
        }
    return LabelExchanges(
        setup.party,
        setup.schedule,
        setup.channels,
        entities=setup.peer_entities,
        heads=heads,
        timings=setup.timings,
        steps=steps,
        decisions=decisions,
        journal=setup.journal,
        checkpointed=checkpointed,
    )


def _heads(setup: LabelSetup) -> LabelHeads:
    """The heads; only the first one's books know the releaser, only those of the party's own figures `on_pass`."""
    private = setup.private
    released = EpochBooks(
        setup.schedule,
        setup.labels,
        setup.halves.fuse,
        minimum_rows=setup.minimum_rows,
        releaser=setup.releaser,
        on_pass=setup.on_pass if private is None else lambda: None,
        groups=setup.groups,
    )
    if private is None:
        head = LabelHead(setup.halves, released)
        return LabelHeads(head, containment=setup.containment, presence=setup.presence)
    own = EpochBooks(
        setup.schedule,
        private.labels,
        private.halves.fuse,
        minimum_rows=setup.minimum_rows,
        on_pass=setup.on_pass,
    )
    heads = LabelHead(setup.halves, released), LabelHead(private.halves, own)
    return LabelHeads(*heads, private.containment, presence=setup.presence)


def _private_head(setup: LabelSetup, heads: LabelHeads) -> PrivateHead | None:
    halves = heads.own.halves
    if setup.private is None or not isinstance(halves, TrainableHalves):
        return None
    containment = setup.private.containment
    return PrivateHead(halves, heads.own.books, setup.timings, containment, presence=setup.presence)


def _steps(setup: LabelSetup, halves: TrainableHalves, books: EpochBooks, private: PrivateHead | None) -> TrainingSteps:
    step_setup = StepSetup(
        party=setup.party,
        schedule=setup.schedule,
        halves=halves,
        presence=setup.presence,
        sender=GradientSender(setup.channels.gradients, setup.channels.matrices, setup.peer_entities, setup.timings),
        books=books,
        timings=setup.timings,
        private=private,
        local_steps=setup.local_steps,
    )
    return PipelinedSteps(step_setup, setup.background) if setup.schedule.depth > 1 else SynchronousSteps(step_setup)


def _decisions(setup: LabelSetup, heads: Sequence[TrainableHalves]) -> EpochDecisions | None:
    schedule = setup.schedule
    if isinstance(schedule, InferenceSchedule) or schedule.early_stopping is None:
        return None
    stopping = EarlyStopping(schedule.early_stopping, schedule.epochs, setup.stopping_mode)
    return EpochDecisions(stopping, heads, setup.channels.decisions)


def _trained_parts(setup: LabelSetup, halves: TrainableHalves) -> dict[str, Stateful]:
    parts: dict[str, Stateful] = {"fuse": halves.fuse}
    if halves.base is not None:
        parts["base"] = halves.base
    if setup.local_steps is not None:
        parts["local_steps"] = setup.local_steps
    for name, incoming in setup.channels.hiddens.items():
        parts[f"hiddens of {name}"] = incoming
    for name, outgoing in setup.channels.gradients.items():
        parts[f"gradients of {name}"] = outgoing
    return parts
