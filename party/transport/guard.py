"""Ends connections if there are too many of one kind, so that nobody can keep a coordinator out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection

from party.transport.sockets import Accepted, AcceptedSockets
from party.transport.surplus import surplus
from party.transport.vouches import Vouches

MAXIMUM_STRANGERS_PER_ADDRESS = 16
MAXIMUM_STRANGERS = 32  # half of the connections that the server accepts; the others may be being set up
QUIET_SECONDS = 0.25
BUSY_SECONDS = 0.02  # between two rounds while connections must be ended
LOG_SECONDS = 60.0  # between two log lines about one attack

logger = logging.getLogger(__name__)


class ConnectionGuard:
    """Limits the connections without an authorised call, per address and in total, and the others per caller.

    The oldest connections of the address with the most are ended first: a coordinator makes its first call as soon as
    it is connected, whereas attackers that occupy connections wait. A connection that made an authorised call is never
    ended for their sake: only for others of its caller, for those of more callers than there is room for, and if its
    caller is no longer trusted.

    Args:
        sockets: the connections of the server.
        monotonic: returns the seconds of a monotonic clock.
    """

    def __init__(self, sockets: AcceptedSockets, monotonic: Callable[[], float]) -> None:
        self._sockets = sockets
        self._monotonic = monotonic
        self._vouches = Vouches(monotonic)
        self._stopped = threading.Event()
        self._hurry = threading.Event()  # the next round should not wait
        self._thread = threading.Thread(target=self._patrol, name="guard", daemon=True)
        self._ended = self._missed_rounds = 0
        self._logged_seconds = -LOG_SECONDS

    def start(self) -> None:
        """Begins to check the connections, if the system shows them."""
        if AcceptedSockets.are_visible():
            self._thread.start()
        else:
            logger.warning("connections per address are not bounded: this system does not show a process its own")

    def stop(self) -> None:
        """Stops checking connections."""
        self._stopped.set()
        self._hurry.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def revocations(self) -> int:
        """How often trust ended so far, to pass on to `vouch`."""
        return self._vouches.revocations

    def vouch(self, name: str, caller: str, revocations: int) -> None:
        """Records that an authorised call came over a connection.

        Args:
            name: the other end of the connection, as `grpc.ServicerContext.peer` names it.
            caller: certificate name of the caller.
            revocations: what `revocations` was before the call was authorised.
        """
        if self._vouches.add(name, caller, revocations):
            self._hurry.set()

    def revoke(self, callers: Collection[str]) -> None:
        """Ends all connections of callers in a moment; until then, they count as those of strangers.

        Args:
            callers: certificate names that are no longer trusted as before.
        """
        self._vouches.revoke(callers)

    def check_connections(self) -> int:
        """Checks all connections once.

        Returns:
            The number of connections that were ended.

        Raises:
            OSError: no descriptor is left for the check.
        """
        before = self._vouches.before()
        connections = self._sockets.all()
        self._vouches.update(before, connections)
        doomed = self._vouches.take_excess()
        chosen = [one for one in connections if one.peer in doomed]
        strangers = [one for one in connections if not (one.peer in doomed or self._vouches.has(one.peer))]
        chosen += surplus(
            strangers, lambda one: one.peer.network, each=MAXIMUM_STRANGERS_PER_ADDRESS, total=MAXIMUM_STRANGERS
        )
        return sum(self._end(one) for one in chosen)

    def _end(self, connection: Accepted) -> bool:
        return self._vouches.unless_vouched(connection.peer, lambda: self._sockets.end(connection))

    def _patrol(self) -> None:
        pause_seconds = QUIET_SECONDS
        while not self._stopped.is_set():
            self._hurry.wait(pause_seconds)
            self._hurry.clear()
            try:
                ended = self.check_connections()
            except OSError:  # no descriptor is left for the check
                ended = 0
                self._missed_rounds += 1
            pause_seconds = BUSY_SECONDS if ended else QUIET_SECONDS
            self._log(ended)

    def _log(self, ended: int) -> None:
        self._ended += ended
        if self._monotonic() - self._logged_seconds < LOG_SECONDS or not (self._ended or self._missed_rounds):
            return
        if self._ended:
            logger.warning("ended %d connections: too many at a time, or no longer trusted", self._ended)
        if self._missed_rounds:
            logger.warning("connections could not be counted, %d times: no file descriptor left", self._missed_rounds)
        self._logged_seconds = self._monotonic()
        self._ended = self._missed_rounds = 0
