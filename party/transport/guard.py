"""Ends unauthorised connections if there are too many, so that nobody can keep a coordinator out."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from party.transport.peers import Peer, peer_named
from party.transport.sockets import Accepted, AcceptedSockets

MAXIMUM_STRANGERS_PER_ADDRESS = 16
MAXIMUM_STRANGERS = 32  # half of the connections that the server accepts; the others may be being set up
QUIET_SECONDS = 0.25
BUSY_SECONDS = 0.02  # between two rounds while connections must be ended
LOG_SECONDS = 60.0  # between two log lines about one attack

logger = logging.getLogger(__name__)


class ConnectionGuard:
    """Limits the connections without an authorised call, per address and in total.

    The oldest connections of the address with the most are ended first: a coordinator makes its first call as soon as
    it is connected, whereas attackers that occupy connections wait. A connection that made an authorised call is never
    ended.

    Args:
        sockets: the connections of the server.
        monotonic: returns the seconds of a monotonic clock.
    """

    def __init__(self, sockets: AcceptedSockets, monotonic: Callable[[], float]) -> None:
        self._sockets = sockets
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._names: dict[str, Peer] = {}  # gRPC's names of the peers whose calls were authorised
        self._vouched: dict[Peer, int | None] = {}  # the inodes of their connections; None until the next round
        self._stopped = threading.Event()
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
        if self._thread.is_alive():
            self._thread.join()

    def vouch(self, peer: str) -> None:
        """Records that an authorised call came over a connection.

        Args:
            peer: name of the other end of the connection, as `grpc.ServicerContext.peer` names it.
        """
        if peer not in self._names:  # called for every call
            with self._lock:
                self._names[peer] = peer_named(peer)
                self._vouched[self._names[peer]] = None

    def check_connections(self) -> int:
        """Checks all connections once.

        Returns:
            The number of connections that were ended.

        Raises:
            OSError: no descriptor is left for the check.
        """
        with self._lock:
            vouched_before = list(self._names.items())
        connections = self._sockets.all()
        self._forget_ended(connections, vouched_before)
        strangers = [one for one in connections if one.peer not in self._vouched]
        return sum(self._end(one) for one in surplus(strangers))

    def _forget_ended(self, connections: list[Accepted], vouched_before: list[tuple[str, Peer]]) -> None:
        inodes = {one.peer: one.inode for one in connections}
        with self._lock:
            for name, peer in vouched_before:
                inode, known = inodes.get(peer), self._vouched[peer]
                if inode is None or known not in (None, inode):  # another connection may use its port by now
                    del self._names[name], self._vouched[peer]
                else:
                    self._vouched[peer] = inode

    def _end(self, connection: Accepted) -> bool:
        with self._lock:  # no call can be authorised on it between the check and its end
            return connection.peer not in self._vouched and self._sockets.end(connection)

    def _patrol(self) -> None:
        pause_seconds = QUIET_SECONDS
        while not self._stopped.wait(pause_seconds):
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
            logger.warning("ended %d connections without an authorised call: too many at a time", self._ended)
        if self._missed_rounds:
            logger.warning("connections could not be counted, %d times: no file descriptor left", self._missed_rounds)
        self._logged_seconds = self._monotonic()
        self._ended = self._missed_rounds = 0


def surplus(strangers: list[Accepted]) -> list[Accepted]:
    """Selects the connections to end.

    Args:
        strangers: the connections without an authorised call, the oldest first.

    Returns:
        The oldest ones of the addresses with the most, until neither an address nor the total exceeds its limit.
    """
    by_network: dict[str, deque[Accepted]] = {}
    for one in strangers:
        by_network.setdefault(one.peer.network, deque()).append(one)
    chosen: list[Accepted] = []
    for ones in by_network.values():
        while len(ones) > MAXIMUM_STRANGERS_PER_ADDRESS:
            chosen.append(ones.popleft())
    while len(strangers) - len(chosen) > MAXIMUM_STRANGERS:
        chosen.append(max(by_network.values(), key=len).popleft())
    return chosen
