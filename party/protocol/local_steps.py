"""Local steps: a party uses a batch again that was exchanged before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from party.cut.hidden import FloatArray
from party.cut.state import State
from party.data.entities import Entities
from party.protocol.containment import ContainedFuse
from party.protocol.halves import TrainableBase, TrainableFuse
from party.protocol.local_updates import LocalUpdates
from party.protocol.presence import Presence
from party.protocol.schedule import Exchange, Schedule
from party.protocol.timings import Timings

HIDDEN, GRADIENT = "hidden", "gradient"
ACTIVITY = "local step"


class FeatureLocalSteps:
    """Local steps of a feature party's base model.

    Args:
        local_updates: draws the batch of each local step.
        base: the base model.
        schedule: the session's schedule.
        timings: records how long each activity takes.
        entities: the entities that the rows of the dataset refer to.
    """

    def __init__(
        self,
        local_updates: LocalUpdates,
        base: TrainableBase,
        schedule: Schedule,
        timings: Timings,
        *,
        entities: Entities,
    ) -> None:
        self._local_updates = local_updates
        self._base = base
        self._schedule = schedule
        self._timings = timings
        self._entities = entities

    def after(self, exchange: Exchange, hiddens: FloatArray, gradients: FloatArray) -> None:
        """Caches a batch, then makes the local steps that follow its exchange.

        Args:
            exchange: an exchange of training whose update is done.
            hiddens: hiddens of its entities, as the base model computed them, float32 (entities, columns).
            gradients: gradients of the loss with respect to them, as received, float32 (entities, columns).
        """
        self._local_updates.add(exchange.position, {HIDDEN: hiddens, GRADIENT: gradients})
        for step in self._local_updates.draws(exchange.step):
            rows = self._schedule.rows(self._schedule.exchange(step.position))
            numbers, cached = self._entities.of(rows).entities, step.cached
            with self._timings.measure(ACTIVITY):
                self._base.local_step(numbers, step.number, hiddens=cached[HIDDEN], gradients=cached[GRADIENT])

    def state(self) -> State:
        """The cached batches and the draws."""
        return self._local_updates.state()

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        self._local_updates.set_state(state)


class LabelLocalSteps:
    """Local steps of the fuse models and the label party's own base models.

    Args:
        local_updates: draws the batch of each local step.
        fuses: the fuse model of every head; each makes all local steps.
        schedule: the session's schedule.
        timings: records how long each activity takes.
        presence: says which rows of a batch were present in its exchange; if omitted, all were.
    """

    def __init__(
        self,
        local_updates: LocalUpdates,
        fuses: Sequence[TrainableFuse | ContainedFuse],
        schedule: Schedule,
        timings: Timings,
        *,
        presence: Presence | None = None,
    ) -> None:
        self._presence = presence or Presence()
        self._local_updates = local_updates
        self._fuses = tuple(fuses)
        self._schedule = schedule
        self._timings = timings

    def after(self, exchange: Exchange, hiddens: Mapping[str, FloatArray], gradients: Mapping[str, FloatArray]) -> None:
        """Caches a batch, then makes the local steps that follow its exchange.

        Args:
            exchange: an exchange of training whose update is done.
            hiddens: hiddens of the feature parties by party, as received, float32 (rows, columns).
            gradients: gradients of the loss with respect to them, before any codec; those of other parties are left
                out.
        """
        sides = {HIDDEN: hiddens, GRADIENT: gradients}
        cached = {f"{what} {party}": matrices[party] for what, matrices in sides.items() for party in hiddens}
        self._local_updates.add(exchange.position, cached)
        for step in self._local_updates.draws(exchange.step):
            exchanged = self._schedule.exchange(step.position)
            rows = self._schedule.rows(exchanged)
            present = self._presence.of(exchanged, rows)
            old_hiddens, old_gradients = (
                {party: step.cached[f"{what} {party}"] for party in hiddens} for what in (HIDDEN, GRADIENT)
            )
            with self._timings.measure(ACTIVITY):
                for fuse in self._fuses:
                    fuse.local_step(rows, step.number, hiddens=old_hiddens, gradients=old_gradients, present=present)

    def state(self) -> State:
        """The cached batches and the draws."""
        return self._local_updates.state()

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        self._local_updates.set_state(state)
