"""The planner against real parties: it sees the network as it is, leaves nothing behind, and is obeyed by `auto`."""

import re

import pytest

from coordinator import connect
from coordinator.configuration import load_coordinator_configuration
from coordinator.connection import close_clients, open_clients
from coordinator.current_display import CurrentDisplay
from coordinator.federation import Federation
from coordinator.planning.planner import SCHEDULES
from coordinator.planning.recommendation import schedule_text
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from party.configuration.run import run_configuration_from_bytes
from party.errors import PolicyError, SessionError, StoppedError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Purpose
from tests.support.fitting import expect_same_bits
from tests.support.organisations import SMALL_MODEL, Organisations
from tests.support.proxy import TcpProxy
from tests.support.raw_calls import call
from tests.support.relaying import Relay
from tests.support.resuming import Lines, StopAfter

TRAINING = {"epochs": 2, "batch_size": 62, "validation_fraction": 0.167}
MODEL = {**SMALL_MODEL, "units": [8, 24], "embedding_dimension": 16}
ALLOWED = ["float32", "int8"]
OVERRIDES = {"alice": {"model": MODEL, "policy": {"minimum_metric_rows": 1, "allowed_codecs": ALLOWED}}}
OVERRIDES["bob"] = {"model": MODEL, "fuse": {"kind": "deepfm", "units": [8]}}
AUTO = {"schedule": {"kind": "auto"}}
INT8 = {"hidden": {"kind": "int8"}, "gradient": {"kind": "int8"}}
FAR_SECONDS = 0.03  # each way
NARROW_BYTES_PER_SECOND = 1e6
MEBIBYTE = 1 << 20
ROW = r"^(synchronous|pipelined, depth \d+)( \*)? +(.*?) +([\d,]+) +([\d,]+)  (.*)$"


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    with Organisations(tmp_path_factory.mktemp("planning"), training=TRAINING, overrides=OVERRIDES) as made:
        made.start_servers()
        with connect(made.write_run()) as parties:
            parties.align()
        yield made


def files(organisations):
    """Every file of all parties' and the coordinator's records, with its bytes; ledgers alone have new lines."""
    folders = [*map(organisations.state_path, organisations.names), organisations.runs_path]
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.stem != "ledger"]
    return {path: path.read_bytes() for path in paths}


def test_the_plan_is_that_of_the_network_and_of_codecs_that_every_owner_allows(organisations):
    before = files(organisations)
    far = TcpProxy(organisations.ports["alice"], FAR_SECONDS, NARROW_BYTES_PER_SECOND)
    near = TcpProxy(organisations.ports["bob"])
    with far, near:
        organisations.write_run(ports={"alice": far.port, "bob": near.port})
        done = organisations.coordinator("plan")
    assert done.returncode == 0, done.stderr
    measured = re.findall(r"(\w+): round trip ([\d.]+) ms, upload (.*?) Mbit/s, download (.*?) Mbit/s", done.stdout)
    (alice, bob) = measured
    assert (alice[0], bob[0]) == ("alice", "bob")
    assert 2 * FAR_SECONDS <= float(alice[1]) / 1000 < 2 * FAR_SECONDS + 0.2
    assert float(bob[1]) / 1000 < 2 * FAR_SECONDS
    for bandwidth in alice[2:]:
        assert 0.3 < float(bandwidth) * 1e6 / 8 / NARROW_BYTES_PER_SECOND < 2
    table = re.findall(ROW, done.stdout, re.MULTILINE)
    assert len(table) == len(ALLOWED) * len(SCHEDULES)
    assert [codecs for _, _, codecs, *_ in table[:: len(SCHEDULES)]] == ALLOWED
    speeds = {(schedule, codecs): int(speed.replace(",", "")) for schedule, _, codecs, _, speed, _ in table}
    assert speeds["pipelined, depth 32", "float32"] >= speeds["pipelined, depth 2", "float32"] > 0
    (taken,) = [(schedule, codecs) for schedule, mark, codecs, *_ in table if mark]
    assert f"recommended: {taken[0]}, with codecs {taken[1]}: {speeds[taken]:,} samples/s" in done.stdout
    assert "reason: " in done.stdout
    assert files(organisations) == before


class StopPlannedRun(StopAfter):
    """Lets the run end, and not its plan."""

    def __init__(self, position, lines):
        super().__init__(position)
        self.lines = lines

    def __call__(self, send, party, method, request):
        planned = any(line.startswith("recommended: ") for line in self.lines)
        return super().__call__(send, party, method, request) if planned else send(request)


def test_auto_trains_with_what_the_planner_takes_and_goes_on_with_it(organisations):
    lines = []
    around = StopPlannedRun(2, lines)
    path = organisations.write_run({**AUTO, "codecs": INT8})
    with Relay(path, around) as around.relay, pytest.raises(StoppedError):
        around.relay._display = CurrentDisplay(lambda: Lines(lines))
        around.relay.fit()
    with connect(path) as parties:
        stopped = parties.stopped_run()
        assert stopped is not None
        resumed = parties.fit(resume=stopped.run_id)
        (entry,) = parties._journal.runs()
    assert (entry.run_id, entry.state) == (stopped.run_id, "trained") == (resumed.run_id, "trained")
    training = run_configuration_from_bytes(entry.configuration).training
    assert training.codecs.model_dump(include={"hidden": {"kind"}, "gradient": {"kind"}}) == INT8
    (taken,) = [line for line in lines if line.startswith("recommended: ")]
    assert taken.startswith(f"recommended: {schedule_text(training.schedule)}, with codecs int8: ")
    with connect(organisations.write_run({"schedule": training.schedule.model_dump(), "codecs": INT8})) as parties:
        plain = parties.fit()
    weights = [
        {name: organisations.weights(name, history.run_id) for name in organisations.names}
        for history in (resumed, plain)
    ]
    expect_same_bits((resumed.step_loss, weights[0]), (plain.step_loss, weights[1]))


@pytest.fixture
def measuring(organisations):
    """An open measuring session, before its first batch."""
    with Federation(load_coordinator_configuration(organisations.write_run())) as parties:
        run = parties.configuration.run
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_MEASURE,
            run_id=new_run_id(),
            lease=parties._journal.lease,
            configuration=run.to_bytes(),
        )
        with CoordinatedSession(parties._clients, run, proposal) as session:
            yield session


@pytest.mark.parametrize("party", ["alice", "bob"])
def test_a_measuring_session_keeps_nothing_whatever_is_asked(organisations, measuring, party):
    before = files(organisations)
    client = measuring.clients[party]
    for method, request in {
        "Snapshot": pb.SnapshotRequest,
        "Prepare": pb.PrepareRequest,
        "Commit": pb.CommitRequest,
        "Finish": pb.FinishRequest,
    }.items():
        with pytest.raises(SessionError, match=f"{party}: a measuring session keeps nothing"):
            call(client, method, request(session=measuring.reference))
    assert files(organisations) == before


def test_a_probe_is_bounded_and_for_those_who_may_call(organisations):
    clients = open_clients(load_coordinator_configuration(organisations.write_run()))
    alice = clients["alice"]
    reply = alice.probe(bytes(4 * MEBIBYTE - 64), 4 * MEBIBYTE)
    assert reply.payload == bytes(4 * MEBIBYTE)
    with pytest.raises(SessionError, match="alice: a probe asks for too long a reply; expected at most 4194304"):
        alice.probe(b"", 4 * MEBIBYTE + 1)
    with pytest.raises(SessionError, match="alice: request is too long"):
        alice.probe(bytes(4 * MEBIBYTE), 0)
    close_clients(clients)


def test_a_plan_with_a_codec_that_an_owner_does_not_allow_is_refused(organisations):
    with (
        connect(organisations.write_run({**AUTO, "codecs": {"hidden": {"kind": "float16"}}})) as parties,
        pytest.raises(PolicyError, match=r"alice: refused by policy.allowed_codecs: training.codecs.hidden"),
    ):
        parties.fit()


def test_who_wants_no_plan_any_more_gets_none(organisations):
    with connect(organisations.write_run(AUTO)) as parties:
        parties.stop()
        with pytest.raises(StoppedError, match="stopped while the run was being planned"):
            parties.fit()
        assert parties.stopped_run() is None
