"""The progress of a session's exchanges."""

from __future__ import annotations

from party.channel.place import Place
from party.cut.hidden import Rows
from party.cut.state import State
from party.protocol.schedule import Activity, Exchange, Schedule


class ExchangeProgress:
    """The next exchange of a session at one party.

    Args:
        schedule: the session's schedule.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.position = 0
        self.stopped = False

    @property
    def finished(self) -> bool:
        """Whether every exchange of the schedule is done, or the label party has decided to stop."""
        return self.stopped or self.position == self._schedule.exchanges

    @property
    def step(self) -> int:
        """Number of training steps done so far."""
        if self.position == self._schedule.exchanges:
            return self._schedule.steps
        return self._schedule.exchange(self.position).step

    @property
    def trains(self) -> bool:
        """Whether the next exchange is one of training."""
        return not self.finished and self._schedule.exchange(self.position).activity is Activity.TRAIN

    def state(self) -> State:
        """The position, and whether the label party has decided to stop."""
        return State({"position": self.position, "stopped": self.stopped})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same schedule."""
        self.position, self.stopped = int(state.values["position"]), bool(state.values["stopped"])


class ScheduledExchanges:
    """The progress in the schedule, for both sides of a session's exchanges.

    Args:
        party: name of this party.
        schedule: the session's schedule.
    """

    def __init__(self, party: str, schedule: Schedule) -> None:
        self._party = party
        self._schedule = schedule
        self._progress = ExchangeProgress(schedule)

    @property
    def position(self) -> int:
        """Position of the oldest exchange that is not done."""
        return self._progress.position

    @property
    def finished(self) -> bool:
        """Whether every exchange of the schedule is done, or the label party has decided to stop."""
        return self._progress.finished

    @property
    def step(self) -> int:
        """Number of training steps done so far."""
        return self._progress.step


def place_of(exchange: Exchange, rows: Rows) -> Place:
    """The place of the matrices of an exchange.

    Args:
        exchange: an exchange of the session.
        rows: row numbers of its batch, int32 (rows,).
    """
    return Place(exchange.position, rows, trains=exchange.activity is Activity.TRAIN)
