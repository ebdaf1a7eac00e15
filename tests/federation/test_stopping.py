"""Processes that stop in mid-run: whoever is left says so, is free at once, and the next run starts cleanly."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from party.errors import INTERRUPTED_EXIT_CODE, StoppedError
from tests.support.commands import await_line, expect_error, run_party, start_coordinator
from tests.support.organisations import Organisations, make_frames

LONG = {"epochs": 1000}
MANY_ROWS = 20_000
SHORT = {"epochs": 1}
UNATTENDED = {"epochs": 40}  # long enough to stop in the middle, short enough to end
WAIT_SECONDS = 60  # bounds a failure of the tests; nothing waits so long


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    names = ("alice", "bob")
    few, many = make_frames(names), make_frames(names, rows=MANY_ROWS, datasets=("many",))
    frames = {name: {**few[name], **many[name]} for name in names}
    with Organisations(tmp_path_factory.mktemp("stopping"), frames=frames) as federation:
        federation.start().write_run(alignment={"datasets": ["train"]})
        done = federation.coordinator("align")
        assert done.returncode == 0, done.stderr
        yield federation


@pytest.fixture
def running(organisations):
    """A coordinator in the middle of a long run."""
    organisations.write_run(LONG)
    process = start_coordinator(organisations, "train", "--new")
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
    done = organisations.coordinator("train", "--new")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def entries(organisations):
    """The runs in the coordinator's journal, the oldest first."""
    found = [json.loads(path.read_text()) for path in organisations.runs_path.glob("*/run.json")]
    return sorted(found, key=lambda entry: entry["started"])


def expect_idle(organisations, names=("alice", "bob")):
    lines = organisations.coordinator("status").stdout.splitlines()
    assert [line.split()[0] for line in lines if " idle " in line] == list(names), lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_coordinator_that_is_interrupted_stops_in_order(organisations, running, number):
    running.send_signal(number)
    code, errors = end(running)
    first, second = errors.splitlines()
    assert first == "stopping after a checkpoint; interrupt once more to end at once"
    found = re.fullmatch(
        r"error: run (\w{8}): stopped after step ([\d,]+) of [\d,]+, checkpointed at every party;"
        r" run `coordinator train --resume (\w{8})` to resume",
        second,
    )
    assert found, second
    assert code == StoppedError.exit_code
    assert found[1] == found[3]
    expect_idle(organisations)
    entry = entries(organisations)[-1]
    assert (entry["state"], entry["commits"][-1]["step"]) == ("stopped", int(found[2].replace(",", "")))
    expect_next_run(organisations)


def test_second_interrupt_ends_at_once(organisations, running):
    os.kill(organisations.processes["alice"].process.pid, signal.SIGSTOP)  # nothing can be stopped in order now
    try:
        running.send_signal(signal.SIGINT)
        assert "interrupt once more" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        code, errors = end(running)
    finally:
        os.kill(organisations.processes["alice"].process.pid, signal.SIGCONT)
    assert (code, errors) == (INTERRUPTED_EXIT_CODE, "interrupted: alice could not be notified\n")
    assert entries(organisations)[-1]["state"] == "stopped"
    expect_next_run(organisations)


def test_another_process_stops_a_run_and_it_goes_on_when_told_to(organisations, running):
    run_id = entries(organisations)[-1]["run_id"]
    stopping = organisations.coordinator("stop", run_id[:6])
    assert stopping.returncode == 0, stopping.stderr
    assert re.fullmatch(
        rf"run {run_id[:8]} is stopped; step [\d,]+ of [\d,]+ is checkpointed at every party\n", stopping.stdout
    )
    assert end(running)[0] == StoppedError.exit_code
    expect_error(organisations.coordinator("stop", run_id), 10, f"run {run_id[:8]}: no process drives this run")

    told = f"run {run_id[:8]} with this configuration stopped after step "
    expect_error(organisations.coordinator("train"), 10, told, f"use --resume {run_id[:8]} to resume it, or --new to")
    going_on = start_coordinator(organisations, "train", "--resume")
    try:
        assert f"resuming from step {entries(organisations)[-1]['commits'][-1]['step']:,} of " in await_line(
            going_on, "resuming"
        )
        await_line(going_on, "step ")
        going_on.send_signal(signal.SIGTERM)
        assert end(going_on)[0] == StoppedError.exit_code
    finally:
        going_on.kill()
        going_on.communicate()

    line = next(line for line in organisations.coordinator("status").stdout.splitlines() if run_id in line)
    assert re.search(r"  stopped  step [\d,]+ of [\d,]+  \d{4}-\d\d-\d\d \d\d:\d\d, [\d: -]+$", line), line
    removed = organisations.coordinator("remove", run_id)
    assert (
        removed.stdout
        == f"run {run_id[:8]} was deleted here; run `party remove` at each party to free its disk space\n"
    )
    assert run_id not in organisations.coordinator("status").stdout
    listed = run_party("runs", "--config", organisations.party_path("alice")).stdout
    assert re.search(rf"^{run_id}  started +\S+ +[\d.]+ [kM]B  \d[\d, ]*  no$", listed, re.MULTILINE), listed
    done = run_party("remove", run_id[:10], "--config", organisations.party_path("alice"))
    assert (done.returncode, done.stdout.startswith(f"run {run_id} is removed")) == (0, True), done.stderr
    assert run_id not in run_party("runs", "--config", organisations.party_path("alice")).stdout
    expect_error(
        run_party("remove", run_id, "--config", organisations.party_path("alice")), 10, "no run has this run_id"
    )


def test_coordinator_that_is_killed_takes_its_parties_over_when_it_starts_again(organisations, running):
    status = organisations.coordinator("status").stdout.splitlines()
    assert all(" ready, step " in line for line in status[1:3]), status
    expect_error(organisations.coordinator("train"), 10, "another coordinator works with this output folder")
    organisations.write_run(SHORT, output="elsewhere")
    expect_error(organisations.coordinator("train"), 10, "serves another coordinator or run at the moment")

    running.kill()
    assert end(running)[0] == -signal.SIGKILL
    assert entries(organisations)[-1]["state"] == "running"
    expect_next_run(organisations)


def test_party_that_is_killed_and_comes_back_loses_nothing(organisations, running):
    organisations.processes["alice"].process.kill()
    await_line(running, "trying again for up to 20 s: party alice at ")
    restart(organisations, "alice", listen=f"127.0.0.1:{organisations.ports['alice']}")
    await_line(running, "resuming from step ")
    await_line(running, "step ")
    running.send_signal(signal.SIGTERM)
    assert end(running)[0] == StoppedError.exit_code
    expect_next_run(organisations)


def test_party_that_stays_away_is_named_and_the_others_are_free(organisations):
    organisations.write_run(LONG, reconnect_seconds=0.5)
    running = start_coordinator(organisations, "train", "--new")
    try:
        await_line(running, "step ")
        organisations.processes["alice"].process.kill()
        code, errors = end(running)
    finally:
        running.kill()
        running.communicate()
    (line,) = errors.splitlines()
    assert line.startswith(f"error: party alice at 127.0.0.1:{organisations.ports['alice']}: ")
    assert code == 5
    assert entries(organisations)[-1]["state"] == "failed"
    expect_idle(organisations, ["bob"])
    restart(organisations, "alice")
    expect_next_run(organisations)


def test_a_run_that_waits_for_a_party_is_stopped_in_order(organisations, running):
    organisations.processes["alice"].process.kill()
    await_line(running, "trying again for up to 20 s: party alice at ")
    running.send_signal(signal.SIGINT)
    code, errors = end(running)
    told = (
        r"error: run (\w{8}): stopped while party alice at [\d.:]+ did not answer; the last checkpoint is of step"
        r" [\d,]+; run `coordinator train --resume \1` to resume"
    )
    assert re.fullmatch(told, errors.splitlines()[-1]), errors
    assert (code, entries(organisations)[-1]["state"]) == (StoppedError.exit_code, "stopped")
    restart(organisations, "alice", listen=f"127.0.0.1:{organisations.ports['alice']}")
    expect_next_run(organisations)


def train_unattended(organisations):
    done = organisations.coordinator("train", "--unattended")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_an_unattended_run_resumes_what_stopped_and_starts_what_did_not(organisations):
    """What a job or a timer calls whenever it is time: it needs nobody to look at what came before."""
    organisations.write_run(UNATTENDED)
    begun = start_coordinator(organisations, "train", "--new")
    await_line(begun, "step ")
    begun.send_signal(signal.SIGTERM)
    assert end(begun)[0] == StoppedError.exit_code
    stopped = entries(organisations)
    assert stopped[-1]["state"] == "stopped"
    train_unattended(organisations)
    resumed = entries(organisations)
    assert [entry["run_id"] for entry in resumed] == [entry["run_id"] for entry in stopped]
    assert resumed[-1]["state"] == "trained"
    train_unattended(organisations)
    assert entries(organisations)[:-1] == resumed
    assert entries(organisations)[-1]["state"] == "trained"


def align_many(organisations):
    """A coordinator in the middle of a long alignment."""
    organisations.write_run(alignment={"datasets": ["many"], "chunk_rows": 64}, reconnect_seconds=0.5)
    process = start_coordinator(organisations, "align")
    await_line(process, "many: ")
    return process


def test_interrupt_ends_an_alignment_at_once(organisations):
    process = align_many(organisations)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=WAIT_SECONDS)
    told = "interrupted: the parties were notified and are free for the next run\n"
    assert (process.returncode, errors) == (INTERRUPTED_EXIT_CODE, told)
    answers = re.findall(r"^([\d,]+)/([\d,]+)  many: answers of alice$", output, re.MULTILINE)
    assert all(done != total for done, total in answers), "went on to the end"
    assert not list(organisations.folder.glob("*/state/alignments/many.npz"))
    expect_idle(organisations)


INTERRUPTED = """
from coordinator.command_line import run_command

def command():
    raise KeyboardInterrupt

run_command(command, False)
"""


def test_interrupt_without_a_session_claims_nothing_of_the_parties():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (INTERRUPTED_EXIT_CODE, "interrupted\n")


def test_workers_of_an_alignment_end_with_their_killed_party(organisations):
    process = align_many(organisations)
    party = organisations.processes["alice"].process
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
    organisations.processes["bob"].process.send_signal(signal.SIGTERM)
    assert organisations.processes["bob"].process.wait(timeout=WAIT_SECONDS) == 0
    await_line(running, "trying again for up to 20 s: party bob at ")
    running.send_signal(signal.SIGINT)
    code, errors = end(running)
    *_, line = errors.splitlines()
    assert f": stopped while party bob at 127.0.0.1:{organisations.ports['bob']} did not answer; " in line
    assert "coordinator train --resume " in line
    assert code == StoppedError.exit_code
    assert "Traceback" not in organisations.log("bob")
    expect_idle(organisations, ["alice"])


def children(pid):
    """Descriptors that become readable as each child of a process ends."""
    pids = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return [os.pidfd_open(int(one)) for one in pids]


def restart(organisations, name, **changes):
    organisations.processes[name].await_end()
    organisations.write_party(name, **changes)
    organisations.start(name)


def test_a_party_that_was_suspended_ends_in_order(organisations):
    """The kernel may then deliver the signal to a thread that does not run Python's handlers."""
    party = organisations.processes["alice"]
    os.kill(party.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, party.pid, os.WSTOPPED | os.WNOWAIT)
    os.kill(party.pid, signal.SIGCONT)
    try:
        party.terminate()
        assert party.await_end(), "it was killed"
    finally:
        organisations.start("alice")
