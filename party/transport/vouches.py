"""Records which connections made authorised calls, for how many of each caller, and until its trust ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from party.transport.peers import Peer, peer_named
from party.transport.sockets import Accepted
from party.transport.surplus import surplus

MAXIMUM_VOUCHED_PER_CALLER = 8
MAXIMUM_VOUCHED = 24  # with all strangers, still fewer than the connections that the server accepts
REVOKED_SECONDS = 5.0  # in which a caller that is no longer trusted is still told so over its connections


class Vouch:
    """The authorised calls of one connection.

    Args:
        caller: certificate name of the caller.
        peer: the other end of the connection.
        called_seconds: when the latest call came.
    """

    def __init__(self, caller: str, peer: Peer, called_seconds: float) -> None:
        self.caller = caller
        self.peer = peer
        self.called_seconds = called_seconds
        self.inode: int | None = None  # of its socket; None until the next round

    def is_of(self, inode: int | None) -> bool:
        """Whether it is for this socket; another connection may use the port by now."""
        return inode is not None and self.inode in (None, inode)


class Vouches:
    """The connections whose calls were authorised.

    Args:
        monotonic: returns the seconds of a monotonic clock.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._named: dict[str, Vouch] = {}  # by gRPC's name of the peer
        self._present: dict[Peer, Vouch] = {}
        self._revoked: dict[Vouch, float] = {}  # and since when
        self._revocations = 0

    @property
    def revocations(self) -> int:
        """How often trust ended so far."""
        return self._revocations

    def add(self, name: str, caller: str, revocations: int) -> bool:
        """Records that an authorised call came over a connection.

        Args:
            name: the other end of the connection, as `grpc.ServicerContext.peer` names it.
            caller: certificate name of the caller.
            revocations: what `revocations` was before the call was authorised.

        Returns:
            Whether this is one connection too many.
        """
        known = self._named.get(name)
        if known is not None and known.caller == caller:  # as for nearly every call
            known.called_seconds = self._monotonic()
            return False
        with self._lock:
            if revocations != self._revocations:  # the caller may be trusted no longer: its next call tells
                return False
            vouch = Vouch(caller, peer_named(name), self._monotonic())
            former = self._present.get(vouch.peer)
            if former is not None:
                self._withdraw(former)
            self._named[name] = self._present[vouch.peer] = vouch
            of_caller = sum(one.caller == caller for one in self._named.values())
            return of_caller > MAXIMUM_VOUCHED_PER_CALLER or len(self._named) > MAXIMUM_VOUCHED

    def revoke(self, callers: Collection[str]) -> None:
        """Withdraws the vouches for all connections of callers.

        Args:
            callers: certificate names that are no longer trusted as before.
        """
        if not callers:
            return
        with self._lock:
            self._revocations += 1
            for vouch in [one for one in self._named.values() if one.caller in callers]:
                self._withdraw(vouch)
                self._revoked[vouch] = self._monotonic()

    def before(self) -> list[Vouch]:
        """The vouches to `update`, from before the connections are listed."""
        with self._lock:
            return [*self._named.values(), *self._revoked]

    def update(self, before: list[Vouch], connections: list[Accepted]) -> None:
        """Forgets the vouches for connections that have ended.

        Args:
            before: the vouches from before the connections were listed.
            connections: all connections.
        """
        inodes = {one.peer: one.inode for one in connections}
        with self._lock:
            for vouch in before:
                inode = inodes.get(vouch.peer)
                if vouch.is_of(inode):
                    vouch.inode = inode
                    continue
                self._revoked.pop(vouch, None)
                if self._present.get(vouch.peer) is vouch:
                    self._withdraw(vouch)

    def take_excess(self) -> set[Peer]:
        """Withdraws the vouches beyond the bounds, those first whose connections made no call for the longest time.

        Returns:
            The peers whose connections must end: these, and those of callers whose trust ended a moment ago.
        """
        with self._lock:
            idle_first = sorted(self._named.values(), key=lambda one: one.called_seconds)
            excess = surplus(idle_first, lambda one: one.caller, each=MAXIMUM_VOUCHED_PER_CALLER, total=MAXIMUM_VOUCHED)
            for vouch in excess:
                self._withdraw(vouch)
            overdue_seconds = self._monotonic() - REVOKED_SECONDS
            overdue = [one for one, seconds in self._revoked.items() if seconds <= overdue_seconds]
            return {one.peer for one in (*excess, *overdue)}

    def has(self, peer: Peer) -> bool:
        """Whether an authorised call came over the connection of this peer."""
        return peer in self._present

    def unless_vouched(self, peer: Peer, end: Callable[[], bool]) -> bool:
        """Ends a connection, unless an authorised call came over it; none can come meanwhile.

        Args:
            peer: other end of the connection.
            end: ends it, and returns whether it was still open.

        Returns:
            Whether it was ended.
        """
        with self._lock:
            return peer not in self._present and end()

    def _withdraw(self, vouch: Vouch) -> None:
        del self._present[vouch.peer]
        for name in [name for name, one in self._named.items() if one is vouch]:
            del self._named[name]
