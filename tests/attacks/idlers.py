"""A process that opens TCP connections to a party from another loopback address, and sends nothing.

`python -m tests.attacks.idlers PORT SOURCE AT_ONCE PER_SECOND SECONDS` prints `holding` once it has opened the first
ones, and at the end how many it opened in all.
"""

import contextlib
import resource
import socket
import sys
import time

ROUNDS_PER_SECOND = 20


def open_idle(port, source):
    made = socket.socket()
    made.settimeout(1.0)
    try:
        made.bind((source, 0))
        made.connect(("127.0.0.1", port))
    except OSError:  # refused, or out of ports: the attacker goes on
        made.close()
        return None
    return made


def hold(port, source, at_once, per_second, seconds):
    """Holds connections, and goes on opening more; those that the party ends are replaced by new ones only."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = [open_idle(port, source) for _ in range(at_once)]
    print("holding", flush=True)
    begin_seconds = time.monotonic()
    while time.monotonic() < begin_seconds + seconds:
        due = at_once + int((time.monotonic() - begin_seconds) * per_second) - len(held)
        held.extend(open_idle(port, source) for _ in range(due))
        time.sleep(1 / ROUNDS_PER_SECOND)
    print(sum(one is not None for one in held), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        hold(int(sys.argv[1]), sys.argv[2], *(int(one) for one in sys.argv[3:6]))
