"""`coordinator doctor` finds each planted fault by the right examination, with what to do; and nothing without one."""

import json
import shutil
import socket
from concurrent import futures
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from click.testing import CliRunner

from coordinator.cli import main
from coordinator.doctor.examinations import examine_coordinator
from party import __version__
from party.diagnosis.finding import Severity
from party.diagnosis.machine import Machine
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import DatasetRows, Role
from party.pb.party_pb2_grpc import PartyServicer, add_PartyServicer_to_server
from party.security.protocol import PROTOCOL
from tests.support import issuing
from tests.support.doctored import DATASETS, amiss, expect_fault, free_address, set_up, shown
from tests.support.organisations import COORDINATOR, FEATURES

NOW = datetime.now(UTC)
WAIT_SECONDS = 2.0
PROBLEM, WARNING = Severity.PROBLEM, Severity.WARNING
SECRET = "http://user:hunter2@proxy.example:3128"
TERMINAL = "\x1b[2J\n"  # clears a terminal


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    with set_up(tmp_path_factory.mktemp("doctor") / "federation") as federation:
        yield federation.start_servers()


@pytest.fixture(autouse=True)
def run_file(organisations):
    """The run's file as it should be, and the coordinator's certificates as they were."""
    folder = organisations.certificates(COORDINATOR)
    saved = {path: path.read_bytes() for path in folder.iterdir()}
    organisations.write_run(output="runs", alignment={"datasets": list(DATASETS)})
    yield
    for path, content in saved.items():
        path.write_bytes(content)


def examine(organisations, **readings):
    given = {"environment": {}, "wait_seconds": WAIT_SECONDS, **readings}
    return examine_coordinator(organisations.run_path, Machine(**given))


# Healthy


def test_nothing_is_found_in_a_healthy_federation(organisations):
    done = organisations.coordinator("doctor", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["problems"], document["warnings"]) == (0, 0)
    said = {(one["examination"], one["where"].partition(" at ")[0]) for one in document["findings"]}
    looked = ("names", "ports", "TLS", "versions", "roles", "clocks", "datasets")
    assert {(name, f"party {party}") for name in looked for party in organisations.names} <= said
    assert not organisations.runs_path.exists()


def test_a_partys_paths_and_columns_stay_with_it(organisations):
    """Also where a party has something to complain about: what it says of its files is for its owner."""
    missing = organisations.table_path("alice", "test")
    kept = missing.read_bytes()
    missing.unlink()
    try:
        diagnosis = examine(organisations)
    finally:
        missing.write_bytes(kept)
    expect_fault(diagnosis, ["datasets"], PROBLEM, "party alice", "party doctor")
    columns = [feature["column"] for features in FEATURES.values() for feature in features]
    for secret in (*columns, "rating", ".csv", str(organisations.folder / "alice"), str(organisations.folder / "bob")):
        assert secret not in shown(diagnosis)


# Planted faults of the coordinator's own side: each changes what it needs, and returns the readings that differ


def unknown_key(organisations):
    organisations.write_run(trianing={})


def expired(organisations):
    return {"now": NOW + timedelta(days=400)}


def soon_over(organisations):
    return {"now": NOW + timedelta(days=350)}


def own(organisations, issued):
    folder = organisations.certificates(COORDINATOR)
    for path in (folder / f"{COORDINATOR}.pem", folder / f"{COORDINATOR}-key.pem"):
        path.unlink()
    issued.write(folder, COORDINATOR)


def party_certificate(organisations):
    own(organisations, issuing.leaf(issuing.authority(), (COORDINATOR,)))


def certificate_of_a_stranger(organisations):
    own(organisations, issuing.leaf(issuing.authority(), (COORDINATOR,), issuing.COORDINATOR, end=90 * issuing.DAY))


def other_authority(organisations):
    folder = organisations.certificates(COORDINATOR)
    (folder / "alice-ca.pem").write_bytes(issuing.authority().pem)


def missing_authority(organisations):
    (organisations.certificates(COORDINATOR) / "alice-ca.pem").unlink()


def nobody_listens(organisations):
    organisations.write_run(ports={"alice": free_address().rpartition(":")[2]})


def unresolvable(organisations):
    at(organisations, "party.invalid:50051")


def at(organisations, address):
    """Says in the run's file that alice is at another address."""
    text = organisations.run_path.read_text()
    organisations.run_path.write_text(text.replace(organisations.addresses["alice"], address))


def behind_a_proxy(organisations):
    at(organisations, "party.invalid:50051")
    return {"environment": {"https_proxy": SECRET}}


def through_a_proxy(organisations):
    organisations.write_run(use_proxy=True)
    return behind_a_proxy(organisations)


def swapped(organisations):
    ports = organisations.ports
    organisations.write_run(ports={"alice": ports["bob"], "bob": ports["alice"]})


def other_label_party(organisations):
    organisations.write_run(label_party="alice")


def dataset_that_nobody_has(organisations):
    organisations.write_run(alignment={"datasets": [*DATASETS, "april"]})


def not_aligned(organisations):
    organisations.write_run(alignment={"datasets": ["test"]})


def open_output(organisations):
    organisations.runs_path.mkdir(0o755)
    organisations.write_run(output="runs")


def full_disk(organisations):
    return {"free_bytes": lambda folder: 1_000_000}


FAULTS = [
    (unknown_key, ["configuration"], PROBLEM, "unknown key trianing, did you mean training?", "correct the key"),
    (expired, ["certificate", "TLS"], PROBLEM, "expired on", "renew"),
    (soon_over, ["certificate", "TLS"], WARNING, "expires in", "coordinator certificate coordinator --renew"),
    (party_certificate, ["certificate", "TLS"], PROBLEM, "wrong extended key usage", "replace the file"),
    (certificate_of_a_stranger, ["TLS"], PROBLEM, "closes the connection at once", "may not trust this certificate"),
    (other_authority, ["TLS"], PROBLEM, "no trusted connection could be made", "each side's ca file"),
    (missing_authority, ["trust", "TLS"], PROBLEM, "cannot be read", "check the paths under tls and ca"),
    (nobody_listens, ["ports"], PROBLEM, "the connection is refused", "start `party serve` there"),
    (unresolvable, ["names"], PROBLEM, "the name party.invalid does not resolve", "correct the address"),
    (behind_a_proxy, ["proxies", "names"], WARNING, "https_proxy is set", "use_proxy: true"),
    (through_a_proxy, ["proxies", "TLS"], WARNING, "https_proxy is set", "add party.invalid to no_proxy"),
    (swapped, ["TLS"], PROBLEM, "has the wrong name", "party certificate"),
    (other_label_party, ["roles"], PROBLEM, "is no label party by its own file", "the same label_party"),
    (dataset_that_nobody_has, ["datasets"], PROBLEM, "has no dataset april", "ask its owner"),
    (not_aligned, ["datasets"], PROBLEM, "train is trained on or held out, and not aligned", "alignment.datasets"),
    (open_output, ["permissions"], PROBLEM, "is open to others", "chmod -R go-rwx"),
    (full_disk, ["disk"], PROBLEM, "1.0 MB of space", "free space"),
]


@pytest.mark.parametrize(
    ("plant", "examinations", "severity", "what", "fix"), FAULTS, ids=[one[0].__name__ for one in FAULTS]
)
def test_planted_fault_is_found(organisations, plant, examinations, severity, what, fix):
    try:
        diagnosis = examine(organisations, **(plant(organisations) or {}))
    finally:
        shutil.rmtree(organisations.runs_path, ignore_errors=True)
    expect_fault(diagnosis, examinations, severity, what, fix)
    assert "hunter2" not in shown(diagnosis)


# Planted faults of alice's side


class Answering(PartyServicer):
    """Answers to Describe with a healthy party's words, but for some."""

    def __init__(self, **changes):
        self.changes = changes

    def Describe(self, request, context):
        healthy = {
            "party": "alice",
            "code_version": __version__,
            "protocol": PROTOCOL,
            "role": Role.ROLE_FEATURE,
            "state": "idle",
            "unix_seconds": int(datetime.now(UTC).timestamp()),
            "datasets": [DatasetRows(dataset=name, rows=5) for name in DATASETS],
        }
        changes = {name: value() if callable(value) else value for name, value in self.changes.items()}
        return pb.DescribeReply(**{**healthy, **changes})


@contextmanager
def answering(organisations, chain=None, key=None, **changes):
    """A real server in alice's place, with her certificate or another one."""
    folder = organisations.certificates("alice")
    pair = (key or (folder / "alice-key.pem").read_bytes(), chain or (folder / "alice.pem").read_bytes())
    credentials = grpc.ssl_server_credentials(
        [pair], (folder / f"{COORDINATOR}-ca.pem").read_bytes(), require_client_auth=True
    )
    server = grpc.server(futures.ThreadPoolExecutor(1))
    add_PartyServicer_to_server(Answering(**changes), server)
    at(organisations, f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


def seconds_from_now(seconds):
    """What a clock shows that is so far ahead, whenever it is asked."""
    return lambda: int(datetime.now(UTC).timestamp()) + seconds


ANSWERS = [
    ({}, [], None, "", ""),
    ({"code_version": "0.5.0"}, ["versions"], PROBLEM, "runs version 0.5.0", "install the same version"),
    ({"protocol": 7}, ["versions"], PROBLEM, "protocol 7, and this is", "install the same version"),
    ({"unix_seconds": seconds_from_now(7200)}, ["clocks"], PROBLEM, "2 h 0 min ahead", "let NTP correct"),
    ({"unix_seconds": seconds_from_now(-7200)}, ["clocks"], PROBLEM, "2 h 0 min behind", "let NTP correct"),
    ({"unix_seconds": seconds_from_now(-200)}, ["clocks"], WARNING, "clock is 3 min ", "let NTP correct"),
    ({"party": "alicia"}, ["roles"], PROBLEM, "another party answers", "correct the address"),
    ({"datasets": []}, ["datasets"], PROBLEM, "has no dataset test, train", "ask its owner"),
    ({"datasets": [DatasetRows(dataset="users", rows=3)]}, [], None, "", ""),
]


@pytest.mark.parametrize(("changes", "examinations", "severity", "what", "fix"), ANSWERS)
def test_fault_that_a_party_tells_of(organisations, changes, examinations, severity, what, fix):
    with answering(organisations, **changes):
        diagnosis = examine(organisations)
    if examinations:
        expect_fault(diagnosis, examinations, severity, what, fix)
    else:
        assert amiss(diagnosis) == []


def test_a_party_that_lies_cannot_take_over_the_terminal(organisations):
    """All that a party says of itself is one line each, printable, and no finding of the coordinator's own."""
    lies = {
        "code_version": f"{TERMINAL}9",
        "state": f"idle{TERMINAL}",
        "party": f"alice{TERMINAL}",
        "datasets": [DatasetRows(dataset=f"train{TERMINAL}", rows=3)],
    }
    with answering(organisations, **lies):
        diagnosis = examine(organisations)
    assert {name for name, _ in amiss(diagnosis)} >= {"versions", "roles"}
    assert all(line.isprintable() for line in diagnosis.lines(None))
    assert "\x1b" not in diagnosis.to_json()


CERTIFICATES = [
    ({"start": -3 * issuing.DAY, "end": -issuing.DAY}, PROBLEM, "expired on", "renew it"),
    ({"start": issuing.DAY, "end": 90 * issuing.DAY}, PROBLEM, "is not valid before", "compare the clocks"),
    ({"usages": issuing.COORDINATOR, "end": 90 * issuing.DAY}, PROBLEM, "wrong extended key usage", "issued"),
    ({"names": ("alicia",), "end": 90 * issuing.DAY}, PROBLEM, "has the wrong name", "issued"),
    ({"end": 10 * issuing.DAY}, WARNING, "its certificate expires in", "alice should renew it"),
]


@pytest.mark.parametrize(("changes", "severity", "what", "fix"), CERTIFICATES)
def test_certificate_that_a_party_serves(organisations, changes, severity, what, fix):
    authority = issuing.authority()
    (organisations.certificates(COORDINATOR) / "alice-ca.pem").write_bytes(authority.pem)
    served = issuing.leaf(authority, **{"names": ("alice",), **changes})
    with answering(organisations, served.pem, served.key_pem):
        diagnosis = examine(organisations)
    expect_fault(diagnosis, ["TLS"], severity, what, fix)


def test_port_behind_a_firewall_that_drops(organisations):
    """A full backlog: the kernel drops what is sent there, as such a firewall does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
            waiting.append(one)
        at(organisations, f"127.0.0.1:{listening.getsockname()[1]}")
        diagnosis = examine(organisations, wait_seconds=0.3)
        for one in waiting:
            one.close()
    expect_fault(diagnosis, ["ports"], PROBLEM, "nothing answers within 0.3 s", "open the port")


def test_port_of_another_service(organisations):
    with socket.create_server(("127.0.0.1", 0)) as listening, futures.ThreadPoolExecutor(1) as threads:

        def answer():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threads.submit(answer)
        at(organisations, f"127.0.0.1:{listening.getsockname()[1]}")
        diagnosis = examine(organisations)
        listening.shutdown(socket.SHUT_RDWR)
    expect_fault(diagnosis, ["TLS"], PROBLEM, "party alice", "another service")


def test_port_for_metrics_that_another_process_holds(organisations):
    with socket.create_server(("127.0.0.1", 0)) as holding:
        organisations.write_run(prometheus={"listen": f"127.0.0.1:{holding.getsockname()[1]}"})
        diagnosis = examine(organisations)
    expect_fault(diagnosis, ["metrics port"], PROBLEM, "is taken", "choose another port")


# The command


def test_command_ends_with_the_code_of_a_configuration(organisations):
    nobody_listens(organisations)
    done = CliRunner().invoke(main, ["doctor", "--config", str(organisations.run_path)])
    assert done.exit_code == 2
    assert done.stdout.splitlines()[-1] == "coordinator coordinator: 1 problem, 0 warnings"
    assert done.stderr == "error: the doctor found 1 problem; do what is said above\n"
