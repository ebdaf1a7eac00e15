"""Local steps of either kind of party: what is kept of an exchange, and used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from party.protocol.halves import Base, Fuse
from party.protocol.hidden import FloatArray, HiddenSpec, Tensors
from party.protocol.local_updates import LocalUpdates
from party.protocol.schedule import Exchange, Schedule
from party.protocol.state import State
from party.protocol.timings import Timings

HIDDEN, GRADIENT = "hidden", "gradient"
ACTIVITY = "local step"


class FeatureLocalSteps:
    """Further updates of a base model.

    Args:
        local_updates: decides which batch each of them uses.
        base: the base model.
        schedule: of the session.
        timings: where the time of a step is noted.
    """

    def __init__(self, local_updates: LocalUpdates, base: Base, schedule: Schedule, timings: Timings) -> None:
        self._local_updates = local_updates
        self._base = base
        self._schedule = schedule
        self._timings = timings

    def after(self, exchange: Exchange, hiddens: Tensors, gradients: Tensors) -> None:
        """Keeps a batch, then makes the local steps that follow it.

        Args:
            exchange: of training, whose update is done.
            hiddens: as the base model computed them for it, float32 (rows, units).
            gradients: as they came back.
        """
        sides = {HIDDEN: hiddens, GRADIENT: gradients}
        kept = {f"{what} {name}": one for what, tensors in sides.items() for name, one in tensors.items()}
        self._local_updates.add(exchange.position, kept)
        names = [spec.name for spec in self._base.specs]
        for step in self._local_updates.draws(exchange.step):
            rows = self._schedule.rows(self._schedule.exchange(step.position))
            old_hiddens, old_gradients = (
                {name: step.kept[f"{what} {name}"] for name in names} for what in (HIDDEN, GRADIENT)
            )
            with self._timings.measure(ACTIVITY):
                self._base.local_step(rows, old_hiddens, old_gradients, step.number)

    def state(self) -> State:
        """What is kept, and what was drawn."""
        return self._local_updates.state()

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same run."""
        self._local_updates.set_state(state)


class LabelLocalSteps:
    """Further updates of the fuse model and the label party's own base model.

    Args:
        local_updates: decides which batch each of them uses.
        fuse: the fuse model.
        specs: the hiddens of every feature party.
        schedule: of the session.
        timings: where the time of a step is noted.
    """

    def __init__(
        self,
        local_updates: LocalUpdates,
        fuse: Fuse,
        specs: Mapping[str, Sequence[HiddenSpec]],
        schedule: Schedule,
        timings: Timings,
    ) -> None:
        self._local_updates = local_updates
        self._fuse = fuse
        self._specs = specs
        self._schedule = schedule
        self._timings = timings

    def after(self, exchange: Exchange, hiddens: Mapping[str, Tensors], gradients: Mapping[str, Tensors]) -> None:
        """Keeps a batch, then makes the local steps that follow it.

        Args:
            exchange: of training, whose update is done.
            hiddens: of the feature parties, as they were received, float32 (rows, units).
            gradients: of the loss by them, before any codec.
        """
        kept: dict[str, FloatArray] = {
            f"{what} {party} {spec.name}": by_party[party][spec.name]
            for what, by_party in {HIDDEN: hiddens, GRADIENT: gradients}.items()
            for party, specs in self._specs.items()
            for spec in specs
        }
        self._local_updates.add(exchange.position, kept)
        for step in self._local_updates.draws(exchange.step):
            rows = self._schedule.rows(self._schedule.exchange(step.position))
            old_hiddens, old_gradients = (self._of_kept(what, step.kept) for what in (HIDDEN, GRADIENT))
            with self._timings.measure(ACTIVITY):
                self._fuse.local_step(rows, old_hiddens, old_gradients, step.number)

    def state(self) -> State:
        """What is kept, and what was drawn."""
        return self._local_updates.state()

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same run."""
        self._local_updates.set_state(state)

    def _of_kept(self, what: str, kept: Mapping[str, FloatArray]) -> dict[str, Tensors]:
        return {
            party: {spec.name: kept[f"{what} {party} {spec.name}"] for spec in specs}
            for party, specs in self._specs.items()
        }
