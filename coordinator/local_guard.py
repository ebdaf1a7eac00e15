"""Ends a party of a federation on one machine when the process that started it has ended, even by SIGKILL."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

STOPPING_SECONDS = 30.0


def start_guard(party: subprocess.Popen[bytes]) -> subprocess.Popen[bytes] | None:
    """Starts a process that ends a party once this process has ended.

    The operating system closes the guard's standard input when this process ends, however it ends.

    Args:
        party: a process that this one started and has not waited for.

    Returns:
        The guard, which ends with the party; None where the kernel (Linux before 5.3) has no pidfd.
    """
    try:
        descriptor = os.pidfd_open(party.pid)  # a PID could belong to another process by the time it is used
    except OSError:
        return None
    try:
        return subprocess.Popen(  # noqa: S603  # this Python, this module
            [sys.executable, "-m", "coordinator.local_guard", str(descriptor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(descriptor,),
            process_group=0,  # an interrupt of a notebook's cell does not reach it
        )
    finally:
        os.close(descriptor)


def guard(party: int, owner: int, seconds: float = STOPPING_SECONDS) -> None:
    """Waits until a party or its owner has ended, and ends the party if the owner was first.

    Args:
        party: pidfd of the party.
        owner: read end of a pipe whose write end only the owner has.
        seconds: how long the party may take to end after SIGTERM, before SIGKILL.
    """
    _await_any([party, owner])
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        if _await_any([party], 0.0):
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(party, signal_number)
        _await_any([party], seconds)


def _await_any(descriptors: list[int], seconds: float | None = None) -> bool:
    """Waits until a process has ended or a pipe is closed; returns False if time ran out first."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if seconds is None else 1000 * seconds))


if __name__ == "__main__":
    guard(int(sys.argv[1]), sys.stdin.fileno())
