"""Further updates on batches that were exchanged before: which batch, at which step, decided before the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from party.configuration.run import LocalUpdatesSection
from party.data.order import permutation
from party.protocol.hidden import FloatArray
from party.protocol.state import State, join_states, part_of

STREAM = "local"


@dataclass(frozen=True)
class LocalStep:
    """One update without an exchange.

    Attributes:
        number: of local steps made before it in the run.
        position: of the exchange whose batch it uses again.
        kept: what the party kept of that exchange, by name.
    """

    number: int
    position: int
    kept: Mapping[str, FloatArray]


@dataclass
class _CachedBatch:
    step: int
    position: int
    since: int
    kept: Mapping[str, FloatArray]
    uses: int = 0


class LocalUpdates:
    """Keeps the last exchanged batches and draws from them.

    A batch leaves after so many uses, so many exchanges, or so many updates; it is not drawn again while it is among
    the last `window` - 1 draws. Every party derives the same draws by itself: they follow from the run's seed and the
    number of steps, never from a clock or from values.

    Args:
        section: of the run configuration.
        seed: of the run.

    Reference:
        Fu et al., "Towards Communication-efficient Vertical Federated Learning Training via Cache-enabled Local
        Updates", PVLDB 15(10), 2022, sections 3 and 4; here with a fixed number of local steps per exchange.
    """

    def __init__(self, section: LocalUpdatesSection, seed: int) -> None:
        self._section = section
        self._seed = seed
        self._clock = 0
        self._exchanged = 0
        self._made = 0
        self._cache: list[_CachedBatch] = []
        self._draws: deque[int] = deque(maxlen=section.window - 1)

    @property
    def cached(self) -> int:
        """How many batches are kept."""
        return len(self._cache)

    def add(self, position: int, kept: Mapping[str, FloatArray]) -> None:
        """Keeps a batch, right after the update by it.

        Args:
            position: of its exchange.
            kept: what the party needs of it, by name; left unchanged by the caller from now on.
        """
        self._clock += 1
        self._cache.append(_CachedBatch(self._exchanged, position, self._clock, kept))
        self._exchanged += 1
        self._drop_old()

    def draws(self, step: int) -> Iterator[LocalStep]:
        """The local steps that follow a training step.

        Args:
            step: that was added last, counted from 0 through the whole run.
        """
        for place in range(self._section.steps):
            drawn = self._draw(step, place)
            if drawn is None:
                continue
            local_step = LocalStep(self._made, drawn.position, drawn.kept)
            self._clock += 1
            self._made += 1
            yield local_step

    def state(self) -> State:
        """The batches and what was drawn."""
        own = State(
            {
                "clock": self._clock,
                "exchanged": self._exchanged,
                "made": self._made,
                "draws": list(self._draws),
                "cache": [[one.step, one.position, one.since, one.uses] for one in self._cache],
            }
        )
        return join_states({"own": own, **{str(one.step): State(arrays=dict(one.kept)) for one in self._cache}})

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same run."""
        own = part_of(state, "own").values
        self._clock, self._exchanged, self._made = int(own["clock"]), int(own["exchanged"]), int(own["made"])
        self._draws.clear()
        self._draws.extend(int(step) for step in own["draws"])
        self._cache = [
            _CachedBatch(
                step, position, since, cast("Mapping[str, FloatArray]", part_of(state, str(step)).arrays), uses
            )
            for step, position, since, uses in own["cache"]
        ]

    def _draw(self, step: int, place: int) -> _CachedBatch | None:
        self._drop_old()
        candidates = [one for one in self._cache if one.step not in self._draws]
        if not candidates:
            return None
        chosen = int(permutation(self._seed, f"{STREAM} {place}", step, len(candidates))[0])
        drawn = candidates[chosen]
        drawn.uses += 1
        self._draws.append(drawn.step)
        return drawn

    def _drop_old(self) -> None:
        window, uses = self._section.window, self._section.uses
        first_step, oldest = self._exchanged - window, self._clock - window * uses
        self._cache = [one for one in self._cache if one.step >= first_step and one.uses < uses and one.since > oldest]
