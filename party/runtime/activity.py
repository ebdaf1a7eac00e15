"""What a party has done since it started, over all its sessions, for whoever watches it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from party.protocol.phases import SessionPhase
from party.runtime.session import PartySession
from party.runtime.session_work import SessionWork


@dataclass(frozen=True, kw_only=True)
class ActivityView:
    """The activity at one moment.

    Attributes:
        work: of all sessions since the party started.
        sessions: number of sessions that were opened.
        repeated_calls: calls that were answered again with the bytes of their first reply.
        phase: phase of the open session; None without one.
        step: training steps of the run of the open session that are done; 0 without one.
    """

    work: SessionWork
    sessions: int
    repeated_calls: int
    phase: SessionPhase | None = None
    step: int = 0


class PartyActivity:
    """Adds up what sessions do. Nothing is counted here during a step: a session's own counters are read when asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: PartySession | None = None
        self._ended = ActivityView(work=SessionWork(), sessions=0, repeated_calls=0)

    def begin(self, session: PartySession) -> None:
        """Notes that a session is open.

        Args:
            session: the only one that is open from now on.
        """
        with self._lock:
            self._current = session
            self._ended = replace(self._ended, sessions=self._ended.sessions + 1)

    def end(self) -> None:
        """Keeps what the open session did, and lets go of it; it must have ended."""
        with self._lock:
            session, self._current = self._current, None
            if session is not None:
                self._ended = _with_work_of(self._ended, session)

    def view(self) -> ActivityView:
        """The activity at this moment; its counts never fall."""
        with self._lock:
            session, ended = self._current, self._ended
            if session is None:
                return ended
            return replace(_with_work_of(ended, session), phase=session.phase, step=session.step)


def _with_work_of(ended: ActivityView, session: PartySession) -> ActivityView:
    repeated = ended.repeated_calls + session.repeated_calls
    return replace(ended, work=ended.work + session.work, repeated_calls=repeated)
