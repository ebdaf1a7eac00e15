"""The phases of a session at one party: the order in which its calls are accepted."""

from __future__ import annotations

from enum import Enum

from party.errors import SessionError


class SessionPhase(Enum):
    """A phase of a session."""

    OPENED = "opened"
    AGREED = "agreed"
    AUTHENTICATED = "authenticated"
    READY = "ready"
    FINISHED = "finished"


FOLLOWING = {
    SessionPhase.OPENED: SessionPhase.AGREED,
    SessionPhase.AGREED: SessionPhase.AUTHENTICATED,
    SessionPhase.AUTHENTICATED: SessionPhase.READY,
    SessionPhase.READY: SessionPhase.FINISHED,
}


class SessionPhases:
    """The present phase of a session; each phase is reached once, from the one before it.

    Args:
        party: name of this party, for errors.
    """

    def __init__(self, party: str) -> None:
        self._party = party
        self.current = SessionPhase.OPENED

    def require(self, phase: SessionPhase) -> None:
        """Refuses a call that does not belong to the present phase.

        Args:
            phase: the phase that the call belongs to.

        Raises:
            SessionError: the session is in another phase.
        """
        if self.current is not phase:
            raise SessionError(
                "call out of order", where=self._party, expected=f"phase {phase.value}", received=self.current.value
            )

    def fail(self) -> None:
        """Ends a session that cannot continue; every further call is refused."""
        self.current = SessionPhase.FINISHED

    def leave(self, phase: SessionPhase) -> None:
        """Moves on to the next phase.

        Args:
            phase: the phase to leave.

        Raises:
            SessionError: the session is in another phase, or has finished.
        """
        self.require(phase)
        following = FOLLOWING.get(phase)
        if following is None:
            raise SessionError("the session has ended", where=self._party)
        self.current = following
