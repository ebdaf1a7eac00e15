"""Finds the connections of this process's server: gRPC for Python does not show them before their first call."""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from party.transport.peers import Peer, peer_at

DESCRIPTORS = Path("/proc/self/fd")


@dataclass(frozen=True)
class Accepted:
    """A TCP connection that this process accepted.

    Attributes:
        descriptor: the file descriptor that it was found under.
        inode: inode of its socket; identifies it although its descriptor may be reused later.
        peer: IP address and port of the other end.
    """

    descriptor: int
    inode: int
    peer: Peer


class AcceptedSockets:
    """Finds the connections to one port among the descriptors of this process.

    Args:
        port: the port that the server listens on.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._known: dict[int, Accepted | None] = {}  # by inode; None for other sockets

    @staticmethod
    def are_visible() -> bool:
        """Whether this system shows a process its descriptors."""
        return DESCRIPTORS.is_dir()

    def all(self) -> list[Accepted]:
        """The connections that are open.

        Returns:
            The connections, those found earlier first.

        Raises:
            OSError: no descriptor is left for the check.
        """
        present: dict[int, Accepted | None] = {}
        for name in os.listdir(DESCRIPTORS):  # noqa: PTH208  # names alone: this runs many times per second
            descriptor = int(name)
            inode = _socket_inode(descriptor)
            if inode is None:
                continue
            known = self._known.get(inode)
            if inode in self._known and (known is None or known.descriptor == descriptor):
                present[inode] = known
            else:
                present[inode] = self._look(descriptor, inode)
        earlier = {inode: present[inode] for inode in self._known if inode in present}
        self._known = {**earlier, **present}
        return [one for one in self._known.values() if one is not None]

    def end(self, connection: Accepted) -> bool:
        """Shuts a connection down, whatever its state; gRPC then closes it.

        Args:
            connection: a connection that `all` returned.

        Returns:
            Whether it was still open.
        """
        held = _duplicate(connection.descriptor, connection.inode)
        if held is None:
            return False
        with held:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:  # its peer closed it first
                return False
        return True

    def _look(self, descriptor: int, inode: int) -> Accepted | None:
        held = _duplicate(descriptor, inode)
        if held is None:
            return None
        with held:
            try:
                return self._accepted(held, descriptor, inode)
            except OSError:  # its peer has closed it
                return None

    def _accepted(self, held: socket.socket, descriptor: int, inode: int) -> Accepted | None:
        if held.family not in (socket.AF_INET, socket.AF_INET6) or held.type != socket.SOCK_STREAM:
            return None
        if held.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) or held.getsockname()[1] != self._port:
            return None
        host, port, *_ = held.getpeername()
        return Accepted(descriptor, inode, peer_at(host, port))


def _socket_inode(descriptor: int) -> int | None:
    try:
        status = os.fstat(descriptor)
    except OSError:  # closed since it was listed
        return None
    return status.st_ino if stat.S_ISSOCK(status.st_mode) else None


def _duplicate(descriptor: int, inode: int) -> socket.socket | None:
    """Duplicates the socket of a descriptor, as its number may be reused; None if it is another one already."""
    try:
        duplicate = os.dup(descriptor)
    except OSError as error:
        if error.errno == errno.EBADF:
            return None
        raise
    if _socket_inode(duplicate) != inode:
        os.close(duplicate)
        return None
    return socket.socket(fileno=duplicate)
