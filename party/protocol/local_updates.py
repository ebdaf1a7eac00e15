"""Local updates on batches that were exchanged before; which batch is used at which step is fixed before the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from party.configuration.run import LocalUpdatesSection
from party.cut.hidden import FloatArray
from party.cut.state import State, join_states, part_of
from party.data.order import permutation

STREAM = "local"


@dataclass(frozen=True)
class LocalStep:
    """One local step: an update without an exchange.

    Attributes:
        number: number of local steps before it in the run.
        position: position of the exchange whose batch it uses again.
        cached: the matrices of that exchange, by name.
    """

    number: int
    position: int
    cached: Mapping[str, FloatArray]


@dataclass(kw_only=True)
class _CachedBatch:
    step: int
    position: int
    since: int
    matrices: Mapping[str, FloatArray]
    uses: int = 0


class LocalUpdates:
    """Caches the last exchanged batches and draws from them.

    A batch leaves the cache after a fixed number of uses, exchanges or updates; it is not drawn again while it is among
    the last `window` - 1 draws. Every party derives the same draws by itself: they follow from the key of the order
    of rows and the number of steps, never from a clock or from values.

    Args:
        section: section of the run configuration.
        row_key: key of the run's order of rows, 32 bytes; secret, because the draws show which batches count more.

    Reference:
        Fu et al., "Towards Communication-efficient Vertical Federated Learning Training via Cache-enabled Local
        Updates", PVLDB 15(10), 2022, sections 3 and 4; here with a fixed number of local steps per exchange.
    """

    def __init__(self, section: LocalUpdatesSection, row_key: bytes) -> None:
        self._section = section
        self._row_key = row_key
        self._clock = 0
        self._exchanged = 0
        self._made = 0
        self._cache: list[_CachedBatch] = []
        self._draws: deque[int] = deque(maxlen=section.window - 1)

    @property
    def cached(self) -> int:
        """Number of batches in the cache."""
        return len(self._cache)

    def add(self, position: int, matrices: Mapping[str, FloatArray]) -> None:
        """Caches a batch, right after its update.

        Args:
            position: position of its exchange.
            matrices: the matrices that the party needs of it, by name; the caller must not change them any more.
        """
        self._clock += 1
        batch = _CachedBatch(step=self._exchanged, position=position, since=self._clock, matrices=matrices)
        self._cache.append(batch)
        self._exchanged += 1
        self._drop_old()

    def draws(self, step: int) -> Iterator[LocalStep]:
        """Yields the local steps that follow a training step.

        Args:
            step: the training step that was added last, counted from 0 through the whole run.
        """
        for place in range(self._section.steps):
            drawn = self._draw(step, place)
            if drawn is None:
                continue
            local_step = LocalStep(self._made, drawn.position, drawn.matrices)
            self._clock += 1
            self._made += 1
            yield local_step

    def state(self) -> State:
        """The cached batches and the draws."""
        own = State(
            {
                "clock": self._clock,
                "exchanged": self._exchanged,
                "made": self._made,
                "draws": list(self._draws),
                "cache": [[one.step, one.position, one.since, one.uses] for one in self._cache],
            }
        )
        return join_states({"own": own, **{str(one.step): State(arrays=dict(one.matrices)) for one in self._cache}})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        own = part_of(state, "own").values
        self._clock, self._exchanged, self._made = int(own["clock"]), int(own["exchanged"]), int(own["made"])
        self._draws.clear()
        self._draws.extend(int(step) for step in own["draws"])
        self._cache = [
            _CachedBatch(
                step=step,
                position=position,
                since=since,
                matrices=cast("Mapping[str, FloatArray]", part_of(state, str(step)).arrays),
                uses=uses,
            )
            for step, position, since, uses in own["cache"]
        ]

    def _draw(self, step: int, place: int) -> _CachedBatch | None:
        self._drop_old()
        candidates = [one for one in self._cache if one.step not in self._draws]
        if not candidates:
            return None
        chosen = int(permutation(self._row_key, f"{STREAM} {place}", step, len(candidates))[0])
        drawn = candidates[chosen]
        drawn.uses += 1
        self._draws.append(drawn.step)
        return drawn

    def _drop_old(self) -> None:
        window, uses = self._section.window, self._section.uses
        first_step, oldest = self._exchanged - window, self._clock - window * uses
        self._cache = [one for one in self._cache if one.step >= first_step and one.uses < uses and one.since > oldest]
