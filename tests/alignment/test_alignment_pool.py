import json
import os
import select
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest

from party.alignment.messages import Outgoing, finished
from party.alignment.pool import WorkerPool, outcome
from party.errors import AlignmentError, InternalError, SessionError

DEADLINE_SECONDS = 60
# What an installed console script looks like: no ending, and a module that does the work.
CONSOLE_SCRIPT = """
import sys
from program import main
if __name__ == "__main__":
    sys.exit(main())
"""
PROGRAM = """
import json, os, sys
from party.alignment.label_side import LabelSide
from party.alignment.pool import WorkerPool
from party.alignment.curve import new_key
from party.alignment.psi import encrypt

def main():
    pool = WorkerPool(2)
    message = pool.submit(encrypt, new_key(), ["a", "b"]).result()
    modules = pool.submit(eval, "sorted(__import__('sys').modules)").result()
    print(json.dumps({"bytes": len(message), "modules": modules, "workers": sorted(pool._executor._processes)}))
    sys.stdout.flush()
    if sys.argv[1] == "wait":
        sys.stdin.read()
    pool.close()
"""


def start_program(folder, argument):
    (folder / "program.py").write_text(PROGRAM)
    script = folder / "console"
    script.write_text(CONSOLE_SCRIPT)
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, str(script), argument],
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{root}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_end(descriptors):
    for descriptor in descriptors:
        ended, _, _ = select.select([descriptor], [], [], DEADLINE_SECONDS)
        os.close(descriptor)
        assert ended


def test_workers_of_a_console_script_stay_light_and_end_with_it(tmp_path):
    with start_program(tmp_path, "end") as program:
        output, errors = program.communicate(timeout=DEADLINE_SECONDS)
    assert (program.returncode, errors) == (0, "")
    report = json.loads(output)
    assert report["bytes"] == 64
    assert "party.alignment.psi" in report["modules"]
    assert not {"tensorflow", "keras", "pandas"}.intersection(report["modules"])
    for process in report["workers"]:
        assert not Path(f"/proc/{process}").exists()


def test_workers_end_when_their_owner_is_killed(tmp_path):
    with start_program(tmp_path, "wait") as program:
        workers = json.loads(program.stdout.readline())["workers"]
        descriptors = [os.pidfd_open(process) for process in workers]
        program.kill()
        assert descriptors
        await_end(descriptors)


def test_pool_ends_its_processes_when_closed():
    with WorkerPool(1) as pool:
        process = pool.submit(os.getpid).result()
        descriptor = os.pidfd_open(process)
    assert process != os.getpid()
    await_end([descriptor])


def test_workers_leave_interrupts_to_their_owner():
    # A shell may have told this process to ignore interrupts, which a worker would inherit.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with WorkerPool(1) as pool:
            process = pool.submit(os.getpid).result()
            os.kill(process, signal.SIGINT)
            assert pool.submit(os.getpid).result() == process
    finally:
        signal.signal(signal.SIGINT, former)


def test_dead_worker_is_an_error_and_the_pool_goes_on():
    with WorkerPool(1) as pool:
        with pytest.raises(InternalError, match="a worker process of the alignment died"):
            outcome(pool.submit(os._exit, 1))
        assert outcome(pool.submit(len, "abc")) == 3


def test_closed_messages_are_refused():
    messages = Outgoing(2, "here", [finished(b"first"), Future()], ahead=2)
    assert messages.take(0) == b"first"
    messages.close()
    with pytest.raises(SessionError, match="the alignment was closed"):
        messages.take(1)


def test_error_of_a_worker_arrives_whole(pool):
    with pytest.raises(AlignmentError, match=r"^here: what$"):
        outcome(pool.submit(raise_alignment_error))


def raise_alignment_error():
    raise AlignmentError("what", where="here")


def test_one_worker_per_core_unless_told():
    with WorkerPool(3) as told, WorkerPool() as untold:
        assert told.workers == 3
        assert untold.workers == os.cpu_count()
