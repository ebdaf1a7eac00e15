"""Manages the single session that a party serves at a time, and its owner."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from party.errors import SealError, SessionError, SessionLostError
from party.runtime.activity import PartyActivity
from party.runtime.garbage import collect_ended_session
from party.runtime.session import PartySession

SILENCE_SECONDS = 60.0
LEASE_BYTES = 32
RUN_ID_BYTES = 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Owner:
    """The owner of a session: a coordinator's certificate name and the token of its journal."""

    coordinator: str
    lease: bytes


class SessionManager:
    """Gives the party to one owner at a time.

    The same owner may open a new session at any time, so that a coordinator
    that died leaves nothing stuck; another one must wait until the owner has
    been silent for a while, and no call of its session is being answered. A
    request that the policy refuses ends nobody else's session. Sessions are built one at a time and outside of the
    lock: a long build delays only the next build, and shutting down does not
    wait for it.

    Args:
        party: name of this party, for errors.
        monotonic: returns the seconds of a monotonic clock.

    Attributes:
        activity: what all sessions have done.
    """

    def __init__(self, party: str, monotonic: Callable[[], float]) -> None:
        self._party = party
        self._monotonic = monotonic
        self.activity = PartyActivity()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._opening: object | None = None  # the latest call of `open`, until its session is built
        self._building = False
        self._shut = False
        self._owner: Owner | None = None
        self._run_id = b""
        self._incarnation = b""
        self._session: PartySession | None = None
        self._heard_seconds = 0.0
        self._under_way: Counter[PartySession] = Counter()  # calls that are being answered

    @property
    def owner_name(self) -> str:
        """Certificate name of the owner of the session that is open or being built; empty if there is none."""
        owner, present = self._owner, self._session is not None or self._opening is not None
        return owner.coordinator if owner is not None and present else ""

    @property
    def current(self) -> tuple[bytes, PartySession] | None:
        """The run_id and the open session, for a status."""
        session = self._session
        return None if session is None else (self._run_id, session)

    def open(
        self,
        owner: Owner,
        run_id: bytes,
        make: Callable[[], PartySession],
        incarnation: bytes = b"",
        *,
        admit: Callable[[], None] = lambda: None,
    ) -> PartySession:
        """Opens a session and ends the owner's former one.

        Args:
            owner: the caller.
            run_id: id of the run, 16 bytes.
            make: builds the session; an error leaves none open.
            incarnation: identifies this session among those of the same run.
            admit: called before another owner's session is ended; an error leaves that one open.

        Returns:
            The session.

        Raises:
            SessionError: another owner's session is alive, or run_id or token has the wrong length.
            SessionLostError: the session was closed, or another one was opened, before it was built.
        """
        if len(run_id) != RUN_ID_BYTES or len(owner.lease) != LEASE_BYTES:
            raise SessionError("run_id or lease has the wrong length", where=self._party)
        opening = object()
        with self._lock:
            is_anothers = self._session is not None and owner != self._owner
            if is_anothers:
                self._require_free(owner)
        if is_anothers:
            admit()
        with self._lock:
            self._require_free(owner)
            self._end("replaced by another session")
            self._owner, self._run_id, self._incarnation = owner, run_id, incarnation
            self._opening = opening  # an earlier call of this owner that still waits is obsolete
            while self._building and self._is_wanted(opening):
                self._changed.wait()
            self._require_wanted(opening)
            self._building = True
        return self._build(opening, make)

    def session(self, owner: Owner, run_id: bytes, incarnation: bytes = b"") -> PartySession:
        """The session that a call belongs to.

        Args:
            owner: the caller.
            run_id: the run_id that the call names.
            incarnation: the incarnation that the call names.

        Returns:
            The session.

        Raises:
            SessionLostError: no such session is open for this owner.
            SealError: too many messages failed; the session is ended.
        """
        with self._lock:
            known = (self._owner, self._run_id, self._incarnation)
            if self._session is None or known != (owner, run_id, incarnation):
                raise SessionLostError("no such session is open here, or no longer", where=self._party)
            self._heard_seconds = self._monotonic()
            if self._session.broken:
                self._end("too many messages failed to open")
                raise SealError("too many messages failed to open: the session has ended", where=self._party)
            return self._session

    @contextmanager
    def hearing(self, session: PartySession) -> Iterator[None]:
        """Lets a session count as heard within the context, in which one of its calls is being answered.

        Args:
            session: the session that the call belongs to.
        """
        with self._lock:
            self._under_way[session] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[session] -= 1
                if not self._under_way[session]:
                    del self._under_way[session]
                if session is self._session:
                    self._heard_seconds = self._monotonic()

    def close(self, owner: Owner, run_id: bytes, incarnation: bytes = b"") -> None:
        """Ends the owner's session, even while it is being built; does nothing if it is not open any more.

        Args:
            owner: the caller.
            run_id: the run_id that the call names.
            incarnation: the incarnation that the call names.
        """
        with self._lock:
            if (owner, run_id, incarnation) == (self._owner, self._run_id, self._incarnation):
                self._end("closed by the coordinator")

    def shut_down(self) -> None:
        """Ends any open session, and refuses further ones; does not wait for one that is being built."""
        with self._lock:
            self._shut = True
            self._end("the party stopped")

    def evict_those_with(self, names: Collection[str]) -> None:
        """Ends the open session if its coordinator or a peer is among the names; ends any that is being built.

        Args:
            names: certificate names of coordinators and parties.
        """
        with self._lock:
            owner, session = self._owner, self._session
            if owner is None or not names:
                return
            if session is None or {owner.coordinator, *session.peers} & set(names):
                self._end("a name is no longer trusted")

    def _require_free(self, owner: Owner) -> None:
        """Refuses an owner while another one's session is alive or being built."""
        silent_seconds = self._monotonic() - self._heard_seconds
        is_heard = self._session in self._under_way or silent_seconds < SILENCE_SECONDS
        is_alive = self._opening is not None or (self._session is not None and is_heard)
        if is_alive and owner != self._owner:
            raise SessionError(
                "serves another coordinator or run at the moment",
                where=self._party,
                fix=f"try again once that run ended or was silent for {SILENCE_SECONDS:.0f} s",
            )

    def _build(self, opening: object, make: Callable[[], PartySession]) -> PartySession:
        try:
            session = make()
        except BaseException:
            with self._lock:
                self._end_building()
                if self._opening is opening:
                    self._opening = None
            raise
        with self._lock:
            self._end_building()
            if not self._is_wanted(opening):
                self._discard(session, "given up while it was built")
            self._require_wanted(opening)
            self._opening, self._session = None, session
            self.activity.begin(session)
            self._heard_seconds = self._monotonic()
            return session

    def _end_building(self) -> None:
        self._building = False
        self._changed.notify_all()

    def _is_wanted(self, opening: object) -> bool:
        return self._opening is opening and not self._shut

    def _require_wanted(self, opening: object) -> None:
        if not self._is_wanted(opening):
            raise SessionLostError("the session was closed, or opened anew, before it was built", where=self._party)

    def _end(self, reason: str) -> None:
        session, self._session, self._owner, self._opening = self._session, None, None, None
        self._changed.notify_all()
        if session is None:
            return
        self._discard(session, reason)
        self.activity.end()
        del session
        collect_ended_session()

    def _discard(self, session: PartySession, reason: str) -> None:
        try:
            session.end(reason)
        except Exception as error:  # the session is over: nobody can act on its last error
            logger.warning("session ended with %s", type(error).__name__)
