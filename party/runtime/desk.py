"""The one session that a party serves at a time, and who owns it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from party.errors import SealError, SessionError, SessionLostError
from party.runtime.garbage import collect_what_ended
from party.runtime.session import Session

SILENCE_SECONDS = 60.0
LEASE_BYTES = 32
RUN_ID_BYTES = 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Owner:
    """Who drives a session: a coordinator's certificate name and the token of its journal."""

    coordinator: str
    lease: bytes


class SessionDesk:
    """Hands the party to one owner at a time.

    The same owner may start anew at any time, so that a coordinator that died
    leaves nothing stuck; another has to wait until the owner was silent.

    Args:
        party: own name, for errors.
        monotonic: seconds of a monotonic clock.
    """

    def __init__(self, party: str, monotonic: Callable[[], float]) -> None:
        self._party = party
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._owner: Owner | None = None
        self._run_id = b""
        self._incarnation = b""
        self._session: Session | None = None
        self._heard_seconds = 0.0

    @property
    def current(self) -> tuple[bytes, Session] | None:
        """The run_id and the session that is open, for a status."""
        session = self._session
        return None if session is None else (self._run_id, session)

    def open(self, owner: Owner, run_id: bytes, make: Callable[[], Session], incarnation: bytes = b"") -> Session:
        """Opens a session, ending the owner's former one.

        Args:
            owner: who calls.
            run_id: of the run, 16 bytes.
            make: builds the session; an error leaves none open.
            incarnation: tells this session from an earlier one of the same run.

        Returns:
            The session.

        Raises:
            SessionError: another owner's session is alive, or a token has the wrong length.
        """
        if len(run_id) != RUN_ID_BYTES or len(owner.lease) != LEASE_BYTES:
            raise SessionError("run_id or lease has the wrong length", where=self._party)
        with self._lock:
            silent_seconds = self._monotonic() - self._heard_seconds
            if self._session is not None and owner != self._owner and silent_seconds < SILENCE_SECONDS:
                raise SessionError(
                    "serves another coordinator or run at the moment",
                    where=self._party,
                    fix=f"try again once that run ended or was silent for {SILENCE_SECONDS:.0f} s",
                )
            self._end()
            self._owner, self._run_id, self._incarnation = owner, run_id, incarnation
            self._heard_seconds = self._monotonic()
            self._session = make()
            self._heard_seconds = self._monotonic()
            return self._session

    def session(self, owner: Owner, run_id: bytes, incarnation: bytes = b"") -> Session:
        """The session that a call belongs to.

        Args:
            owner: who calls.
            run_id: that the call names.
            incarnation: that the call names.

        Returns:
            The session.

        Raises:
            SessionError: no such session is open for this owner.
            SealError: too many messages failed; the session is ended.
        """
        with self._lock:
            known = (self._owner, self._run_id, self._incarnation)
            if self._session is None or known != (owner, run_id, incarnation):
                raise SessionLostError("no such session is open here, or no longer", where=self._party)
            self._heard_seconds = self._monotonic()
            if self._session.broken:
                self._end()
                raise SealError("too many messages failed to open: the session has ended", where=self._party)
            return self._session

    def close(self, owner: Owner, run_id: bytes, incarnation: bytes = b"") -> None:
        """Ends the owner's session; does nothing where there is none, or another one by now."""
        with self._lock:
            if (owner, run_id, incarnation) == (self._owner, self._run_id, self._incarnation):
                self._end()

    def shut(self) -> None:
        """Ends whatever session is open."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        session, self._session, self._owner = self._session, None, None
        if session is None:
            return
        try:
            session.plan.close()
        except Exception as error:  # the session is given up: nobody is left to act on its last error
            logger.warning("session ended with %s", type(error).__name__)
        del session
        collect_what_ended()
