"""The meters of a training session at one party: they watch what leaves, and tell nobody but its owner."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

from party.audit.meters.excess import Excess
from party.audit.meters.label_meters import AGREEMENT
from party.audit.meters.reading import Level, Reading
from party.channel.place import Place
from party.channel.tap import Observer
from party.cut.hidden import FloatArray, Rows
from party.cut.state import State, join_states, part_of
from party.protocol.schedule import Exchange, Schedule
from party.runtime.meter_file import ENDED, STEP, MeterFile

OWN, EXCESS, LAST_STEP, WATCHED = "own", "excess", "last step", "watched"
BACKLOG = 64  # batches that may wait, where no reply leaves time for them
DIGITS = 4

logger = logging.getLogger(__name__)


class Meters(Protocol):
    """The meters of one direction."""

    def add(self, matrix: FloatArray, rows: Rows, /, *, ends_epoch: bool) -> list[Reading]:
        """Adds a batch, and returns the readings of the window that it completes."""

    def state(self) -> State:
        """All that further readings depend on."""

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""


@dataclass(frozen=True, kw_only=True)
class MeterLimit:
    """The owner's limit for the readings of a party.

    Attributes:
        above: whether a reading is above it.
        refuse: raises the policy's refusal.
    """

    above: Callable[[float], bool]
    refuse: Callable[[], NoReturn]


class SessionMeters:
    """Collects what leaves, and reads it once a reply is on its way.

    Args:
        run: the run, for the log.
        schedule: the session's schedule.
        limit: the owner's limit; None without one.
        file: receives the readings.
    """

    def __init__(self, run: str, schedule: Schedule, limit: MeterLimit | None, file: MeterFile) -> None:
        self._run = run
        self._schedule = schedule
        self._limit = limit
        self._file = file
        self._watched: dict[str, Meters] = {}
        self._waiting: deque[tuple[str, FloatArray, Place]] = deque()
        self._reading = threading.Lock()
        self._excess = Excess()
        self._levels: dict[str, Level] = {}
        self._last_step = -1
        self._passed = False

    def watch(self, what: str, meters: Meters) -> Observer:
        """Makes the observer of the matrices of one channel.

        Args:
            what: what leaves and to whom, for the log and the file.
            meters: reads them.
        """
        self._watched[what] = meters
        return lambda matrix, place: self._waiting.append((what, matrix, place))

    def begin(self, state: State, step: int) -> None:
        """Goes on from a checkpoint, or begins; to be called once everything is watched, before the first batch.

        Args:
            state: what `state` returned; empty at the beginning, and where the meters were off.
            step: number of training steps before the first batch.

        Raises:
            StorageError: the file cannot be read or written.
        """
        own, last_step = part_of(state, OWN).values, step - 1
        if own.get(WATCHED) == sorted(self._watched):
            last_step = self._last_step = int(own[LAST_STEP])
            self._excess.set_state(part_of(state, EXCESS))
            for what, meters in self._watched.items():
                meters.set_state(part_of(state, what))
        elif step:
            logger.warning(
                "%s: the meters begin anew at step %d: they were off, or watched something else", self._run, step
            )
        ended = self._file.begin(last_step)
        # The limit holds for the run: who resumes it does not get further batches.
        self._passed = self._limit is not None and any(map(self._limit.above, ended))

    def catch_up(self) -> None:
        """Reads what has left since the last call; a batch that another thread is reading is not waited for."""
        if self._reading.acquire(blocking=False):
            try:
                self._read_waiting()
            finally:
                self._reading.release()

    def check(self) -> None:
        """Refuses a further batch where a limit was passed.

        Raises:
            PolicyError: a reading was above the owner's limit.
        """
        if len(self._waiting) >= BACKLOG:
            self.catch_up()
        if self._limit is not None and self._passed:
            self._limit.refuse()

    def state(self) -> State:
        """All that further readings depend on, between two batches."""
        with self._reading:
            self._read_waiting()
            own = State({WATCHED: sorted(self._watched), LAST_STEP: self._last_step})
            parts = {what: meters.state() for what, meters in self._watched.items()}
            return join_states({OWN: own, EXCESS: self._excess.state(), **parts})

    def close(self) -> None:
        """Reads what is left, and closes the file."""
        with self._reading:
            self._read_waiting()
            self._file.close()

    def _read_waiting(self) -> None:
        while self._waiting:
            what, matrix, place = self._waiting.popleft()
            exchange = self._schedule.exchange(place.position)
            self._last_step = exchange.step
            for reading in self._watched[what].add(matrix, place.rows, ends_epoch=exchange.last):
                self._note(what, exchange, reading)

    def _note(self, what: str, exchange: Exchange, reading: Reading) -> None:
        highest = self._above_limit(what, reading)
        line = {
            STEP: exchange.step,
            "epoch": exchange.epoch,
            "what": what,
            "of": reading.name,
            "class": reading.about,
            "rows": reading.rows,
            **{meter: round(value, DIGITS) for meter, value in reading.values.items()},
            **({} if reading.level is None else {"level": reading.level.name.lower()}),
        }
        self._file.append(line if highest is None else {**line, ENDED: highest})
        if exchange.last:
            logger.info("%s: meters: epoch %d: %s", self._run, exchange.epoch + 1, _text(what, reading))
        key = _key(what, reading)
        if reading.level is not None and reading.level > self._levels.get(key, Level.QUIET):
            self._levels[key] = reading.level
            logger.warning("%s: meters: %s: %s", self._run, reading.level.name.lower(), _text(what, reading))
        if highest is not None and not self._passed:
            self._passed = True
            logger.error("%s: meters: above the limit, the session ends: %s", self._run, _text(what, reading))

    def _above_limit(self, what: str, reading: Reading) -> float | None:
        """The highest reading that counts against the limit; None if none is above, or there is no limit."""
        counting: list[float] = []
        if self._limit is None:
            return None
        for meter, value in reading.values.items():
            if meter == AGREEMENT:  # of the same scores as the accumulated one
                continue
            repeats = self._excess.note(f"{_key(what, reading)}: {meter}", self._limit.above(value))
            if repeats or (meter == reading.lasting and self._limit.above(value)):
                counting.append(value)
        return max(counting, default=None)


def _key(what: str, reading: Reading) -> str:
    return f"{what}: {reading.name}, {reading.about}"


def _text(what: str, reading: Reading) -> str:
    values = ", ".join(f"{meter} {value:.2f}" for meter, value in reading.values.items())
    return f"{_key(what, reading)}: {values or 'too few rows of a class'}"
