"""Processes that stop in mid-run: whoever is left says so, is free at once, and the next run starts cleanly."""

import json
import os
import re
import select
import signal
from pathlib import Path

import pytest
from commands import await_line, expect_error, start_coordinator
from organisations import Organisations, make_frames

from party.errors import INTERRUPTED_EXIT_CODE

LONG = {"epochs": 1000}
MANY_ROWS = 20_000
SHORT = {"epochs": 1}
WAIT_SECONDS = 60  # bounds a failure of the tests; nothing waits so long


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    names = ("alice", "bob")
    few, many = make_frames(names), make_frames(names, rows=MANY_ROWS, datasets=("many",))
    frames = {name: {**few[name], **many[name]} for name in names}
    with Organisations(tmp_path_factory.mktemp("stopping"), frames=frames) as federation:
        federation.start_processes().write_run(alignment={"datasets": ["train"]})
        done = federation.coordinator("align")
        assert done.returncode == 0, done.stderr
        yield federation


@pytest.fixture
def running(organisations):
    """A coordinator in the middle of a long run."""
    organisations.write_run(LONG)
    process = start_coordinator(organisations, "train")
    try:
        await_line(process, "step ")
        yield process
    finally:
        process.kill()
        process.communicate()


def end(process):
    """What a process that ends by itself leaves: exit code and standard error."""
    _, errors = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, errors


def expect_next_run(organisations):
    organisations.write_run(SHORT)
    done = organisations.coordinator("train")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def states(organisations):
    entries = [json.loads(path.read_text()) for path in (organisations.folder / "runs").glob("*/run.json")]
    return [entry["state"] for entry in sorted(entries, key=lambda entry: entry["started"])]


def expect_idle(organisations, names=("alice", "bob")):
    lines = organisations.coordinator("status").stdout.splitlines()
    assert [line.split()[0] for line in lines if " idle " in line] == list(names), lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_coordinator_that_is_interrupted_frees_the_parties(organisations, running, number):
    running.send_signal(number)
    code, errors = end(running)
    assert (code, errors) == (
        INTERRUPTED_EXIT_CODE,
        "interrupted: the parties were told and are free for the next run\n",
    )
    expect_idle(organisations)
    assert states(organisations)[-1] == "failed"
    expect_next_run(organisations)


def test_coordinator_that_is_killed_takes_its_parties_over_when_it_starts_again(organisations, running):
    status = organisations.coordinator("status").stdout.splitlines()
    assert all(" ready, step " in line for line in status[:2]), status
    expect_error(organisations.coordinator("train"), 10, "another coordinator works with this output folder")
    organisations.write_run(SHORT, output="elsewhere")
    expect_error(organisations.coordinator("train"), 10, "serves another coordinator or run at the moment")

    running.kill()
    assert end(running)[0] == -signal.SIGKILL
    assert states(organisations)[-1] == "running"
    expect_next_run(organisations)


def test_party_that_is_killed_is_named_and_the_others_are_free(organisations, running):
    organisations.processes["alice"].kill()
    code, errors = end(running)
    (line,) = errors.splitlines()
    assert line.startswith(f"error: party alice at 127.0.0.1:{organisations.ports['alice']}: ")
    assert code == 5
    expect_idle(organisations, ["bob"])
    restart(organisations, "alice")
    expect_next_run(organisations)


def align_many(organisations):
    """A coordinator in the middle of a long alignment."""
    organisations.write_run(alignment={"datasets": ["many"], "chunk_rows": 64})
    process = start_coordinator(organisations, "align")
    await_line(process, "many: ")
    return process


def test_interrupt_ends_an_alignment_at_once(organisations):
    process = align_many(organisations)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, errors.startswith("interrupted: ")) == (INTERRUPTED_EXIT_CODE, True), errors
    answers = re.findall(r"^([\d,]+)/([\d,]+)  many: answers of alice$", output, re.MULTILINE)
    assert all(done != total for done, total in answers), "went on to the end"
    assert not list(organisations.folder.glob("state/*/alignments/many.npz"))
    expect_idle(organisations)


def test_workers_of_an_alignment_end_with_their_killed_party(organisations):
    process = align_many(organisations)
    party = organisations.processes["alice"]
    workers = children(party.pid)
    assert workers
    party.kill()
    code, errors = end(process)
    assert (code, len(errors.splitlines())) == (5, 1), errors
    assert f"party alice at 127.0.0.1:{organisations.ports['alice']}: " in errors
    for worker in workers:
        ended, _, _ = select.select([worker], [], [], WAIT_SECONDS)
        os.close(worker)
        assert ended, "a worker process outlived its party"
    expect_idle(organisations, ["bob"])
    restart(organisations, "alice")
    expect_next_run(organisations)


def test_party_that_is_told_to_stop_ends_in_order(organisations, running):
    organisations.processes["bob"].send_signal(signal.SIGTERM)
    code, errors = end(running)
    (line,) = errors.splitlines()
    assert line.startswith(f"error: party bob at 127.0.0.1:{organisations.ports['bob']}: ")
    assert code == 5
    assert organisations.processes["bob"].wait(timeout=WAIT_SECONDS) == 0
    assert "Traceback" not in organisations.log("bob")
    expect_idle(organisations, ["alice"])


def children(pid):
    """Descriptors that become readable as each child of a process ends."""
    pids = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return [os.pidfd_open(int(one)) for one in pids]


def restart(organisations, name):
    organisations.processes[name].wait(timeout=WAIT_SECONDS)
    organisations.processes[name].stdout.close()
    organisations.launch(name)
    organisations.await_ready(name)
