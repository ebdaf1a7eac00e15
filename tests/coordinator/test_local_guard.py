"""The guard of a party: it ends the party once the owner has ended, and only then."""

import os
import select
import signal
import subprocess
import sys

import pytest

from coordinator.local_guard import guard
from coordinator.local_party import LocalParty
from tests.support.documents import ROOT

WAIT_SECONDS = 120
PARTY = "import os, signal; print(f'{os.getpid()} is ready on 127.0.0.1:7', flush=True); signal.pause()"
DEAF_PARTY = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PARTY}"
OWNER = """
import signal, sys
from pathlib import Path
from coordinator.local_party import LocalParty

party = LocalParty("alice", Path("alice.yaml"), Path(sys.argv[1]))
party.command = [sys.executable, "-c", sys.argv[2]]
party.launch()
party.await_ready()
print(party.process.pid, flush=True)
signal.pause()
"""


def start(program, *arguments):
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline()


def has_ended(descriptor, seconds):
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_party_ends_when_its_owner_is_killed(tmp_path, number):
    owner, pid = start(OWNER, str(tmp_path / "alice.log"), PARTY)
    with owner:
        party = os.pidfd_open(int(pid))
        assert not has_ended(party, 0)
        owner.send_signal(number)
    assert has_ended(party, WAIT_SECONDS)
    os.close(party)


@pytest.mark.parametrize(("program", "number"), [(PARTY, signal.SIGTERM), (DEAF_PARTY, signal.SIGKILL)])
def test_a_party_that_does_not_end_in_time_is_killed(program, number):
    process, _ = start(program)
    owner, held_by_owner = os.pipe()
    os.close(held_by_owner)
    party = os.pidfd_open(process.pid)
    with process:
        guard(party, owner, seconds=WAIT_SECONDS if number == signal.SIGTERM else 0.1)
    assert process.returncode == -number
    os.close(party)
    os.close(owner)


def test_the_guard_ends_with_the_party(tmp_path):
    party = LocalParty("alice", tmp_path / "alice.yaml", tmp_path / "alice.log")
    party.command = [sys.executable, "-c", PARTY]
    party.launch()
    assert party.await_ready() == "127.0.0.1:7"
    helper = party._guard
    party.process.kill()
    assert helper.wait(WAIT_SECONDS) == 0
    assert party.await_end()
    assert party.process.returncode == -signal.SIGKILL
