"""How far a session has come at one party: the one order in which its calls may be answered."""

from __future__ import annotations

from enum import Enum

from party.errors import SessionError


class Stage(Enum):
    """How far a session has come."""

    OPENED = "opened"
    AGREED = "agreed"
    AUTHENTICATED = "authenticated"
    READY = "ready"
    FINISHED = "finished"


FOLLOWING = {
    Stage.OPENED: Stage.AGREED,
    Stage.AGREED: Stage.AUTHENTICATED,
    Stage.AUTHENTICATED: Stage.READY,
    Stage.READY: Stage.FINISHED,
}


class Stages:
    """The stages of one session, each reached once and from the one before it.

    Args:
        party: own name, for errors.
    """

    def __init__(self, party: str) -> None:
        self._party = party
        self.current = Stage.OPENED

    def require(self, stage: Stage) -> None:
        """Refuses a call that does not belong to the present stage.

        Raises:
            SessionError: the session is at another stage.
        """
        if self.current is not stage:
            raise SessionError(
                "call out of order", where=self._party, expected=f"stage {stage.value}", received=self.current.value
            )

    def leave(self, stage: Stage) -> None:
        """Goes on to the stage that follows.

        Raises:
            SessionError: the session is at another stage than the one to leave, or at its end.
        """
        self.require(stage)
        following = FOLLOWING.get(stage)
        if following is None:
            raise SessionError("the session has ended", where=self._party)
        self.current = following
