"""`party doctor` finds each planted fault by the right examination, with what to do; and nothing at a healthy party."""

import json
import shutil
import socket
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from party.alignment.store import AlignmentStore, StoredAlignment
from party.cli import main
from party.configuration.party import load_party_configuration
from party.diagnosis.diagnosis import examined
from party.diagnosis.finding import Finding, Severity
from party.diagnosis.libraries import examine_libraries
from party.diagnosis.machine import Machine, available_memory, processor_features
from party.doctor.examinations import examine_party
from party.doctor.needs import examine_threads
from party.doctor.subject import PartySubject
from party.errors import DataError
from party.ledger.entry import Content
from party.ledger.file import Ledger
from party.security.certificates import Usage
from party.security.issuing import write_organisation
from party.security.row_secret import RowSecret
from tests.support import issuing
from tests.support.commands import run_party
from tests.support.doctored import amiss, expect_fault, free_address, set_up, shown
from tests.support.json_keys import documented_keys, keys_of_document
from tests.support.organisations import SMALL_MODEL

NOW = datetime.now(UTC)
OTHER_CITIES = ["Wien", "Graz", "Linz"]
CANARY = "hunter2-canary"
CELLS = ("Ulm", "Köln", "Bonn", "train-000", "test-000", CANARY, *OTHER_CITIES)


@pytest.fixture
def organisations(tmp_path):
    return set_up(tmp_path / "federation")


def examine(organisations, name="alice", **readings):
    return examine_party(organisations.party_path(name), Machine(wait_seconds=0.5, **readings))


# Healthy


def test_nothing_is_found_at_a_healthy_party_and_nothing_is_changed(organisations, tmp_path):
    before = {path: path.stat() for path in sorted(tmp_path.rglob("*"))}
    done = run_party("doctor", "--json", "--config", organisations.party_path("alice"))
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["command"], document["name"]) == ("party doctor", "alice")
    assert keys_of_document(document) == {"command", *documented_keys()["party doctor"]}
    assert (document["problems"], document["warnings"]) == (0, 0)
    assert {one["severity"] for one in document["findings"]} == {"ok"}
    after = {path: path.stat() for path in sorted(tmp_path.rglob("*"))}
    assert before.keys() == after.keys()
    assert all(before[path].st_mtime_ns == after[path].st_mtime_ns for path in before)


def test_nothing_is_found_at_a_party_that_serves(organisations):
    with organisations:
        organisations.start_server("alice")
        diagnosis = examine(organisations)
    assert amiss(diagnosis) == []
    assert "party alice answers on 127.0.0.1:" in shown(diagnosis)


# Planted faults: each changes what it needs, and returns the readings that differ


def unknown_key(organisations):
    organisations.write_party("alice", polcy={})


def pinned_secret(organisations):
    organisations.write_party("alice", pinned_secret="0" * 64)


def clock_behind(organisations):
    ledger = Ledger(organisations.state_path("alice"), lambda: NOW + timedelta(hours=2))
    ledger.append(Content(event="started"))
    ledger.close()


def clock_before_certificates(organisations):
    return {"now": NOW - timedelta(days=3)}


def certificate_soon_over(organisations):
    return {"now": NOW + timedelta(days=350)}


def own(organisations, issued):
    """Gives alice a certificate of this kind."""
    folder = organisations.certificates("alice")
    for path in (folder / "alice.pem", folder / "alice-key.pem"):
        path.unlink()
    issued.write(folder, "alice")


def certificate_over(organisations):
    day = issuing.DAY
    own(organisations, issuing.leaf(issuing.authority(), ("alice",), start=-3 * day, end=-day))


def certificate_of_a_coordinator(organisations):
    own(organisations, issuing.leaf(issuing.authority(), ("alice",), issuing.COORDINATOR))


def certificate_of_another_name(organisations):
    own(organisations, issuing.leaf(issuing.authority(), ("alicia",)))


def readable_key(organisations):
    (organisations.certificates("alice") / "alice-key.pem").chmod(0o644)


def key_of_another_certificate(organisations):
    other = write_organisation("other", Usage.PARTY, organisations.certificates("other"), now=NOW)
    shutil.copy(other.key, organisations.certificates("alice") / "alice-key.pem")


def leaf_for_an_authority(organisations):
    folder = organisations.certificates("alice")
    shutil.copy(folder / "alice.pem", folder / "bob-ca.pem")


def authority_that_all_may_change(organisations):
    (organisations.certificates("alice") / "coordinator-ca.pem").chmod(0o666)


def other_machine(organisations):
    organisations.write_party("alice", listen="192.0.2.1:50051")


def unresolvable(organisations):
    organisations.write_party("alice", listen="party.invalid:50051")


def open_state(organisations):
    state = organisations.state_path("alice")
    state.mkdir(0o700)
    (state / "serving.json").write_text("{}")
    (state / "serving.json").chmod(0o640)


def altered_ledger(organisations):
    clock_behind(organisations)
    path = organisations.state_path("alice") / "ledger.jsonl"
    path.write_text(path.read_text().replace("started", "reloaded"))


def missing_file(organisations):
    organisations.table_path("alice", "train").unlink()


def missing_column(organisations):
    frame = organisations.read_table("alice", "train").rename(columns={"income": "salary"})
    organisations.write_frame("alice", "train", frame)


def malformed_cell(organisations):
    frame = organisations.read_table("alice", "train")
    frame.loc[3, "income"] = CANARY
    organisations.write_frame("alice", "train", frame)


def other_vocabulary(organisations):
    frame = organisations.read_table("alice", "test")
    frame["city"] = [OTHER_CITIES[number % len(OTHER_CITIES)] for number in range(len(frame))]
    organisations.write_frame("alice", "test", frame)


def stored_alignment(organisations, **changes):
    """An alignment of the training file with all of its rows, but for these changes."""
    subject = PartySubject(
        organisations.party_path("alice"), load_party_configuration(organisations.party_path("alice")), Machine()
    )
    table = subject.tables.table("train")
    alignment = {
        "alignment_id": bytes(16),
        "rows": np.arange(table.rows),
        "data_sha256": bytes.fromhex(table.rows_sha256),
        "id_column": "ID",
        "parties": ("alice", "bob"),
        "row_secret": RowSecret(bytes(32), False),
    }
    store = AlignmentStore(organisations.state_path("alice") / "alignments")
    store.save("train", StoredAlignment(**{**alignment, **changes}))


def changed_since_aligned(organisations):
    stored_alignment(organisations)
    frame = organisations.read_table("alice", "train")
    organisations.write_frame("alice", "train", frame.iloc[:-1])


def few_in_common(organisations):
    stored_alignment(organisations, rows=np.arange(9))


def aligned_with_strangers(organisations):
    stored_alignment(organisations, parties=("alice", "bob", "charlie"))


def damaged_alignment(organisations):
    stored_alignment(organisations)
    path = organisations.state_path("alice") / "alignments" / "train.npz"
    path.write_bytes(path.read_bytes()[:100])


def full_disk(organisations):
    return {"free_bytes": lambda folder: 1_000_000}


def little_memory(organisations):
    return {"available_memory_bytes": 200_000_000}


def few_open_files(organisations):
    return {"open_files": 64}


def other_encoding(organisations):
    return {"encodings": ("utf-8", "latin-1")}


def unknown_zone(organisations):
    return {"environment": {"TZ": "Europe/Berlni"}}


def old_processor(organisations):
    return {"processor_features": frozenset({"sse", "sse2"})}


def unknown_optimizer(organisations):
    organisations.write_party("alice", optimizer={"name": "adamant"})


PROBLEM, WARNING = Severity.PROBLEM, Severity.WARNING
FAULTS = [
    (unknown_key, ["configuration"], PROBLEM, "unknown key polcy, did you mean policy?", "correct the key"),
    (pinned_secret, ["configuration"], WARNING, "pinned_secret is for tests", "leave the key out"),
    (clock_behind, ["clock"], PROBLEM, "the clock is behind", "set the clock"),
    (clock_before_certificates, ["certificate", "trust"], PROBLEM, "is not valid before", "compare the clocks"),
    (certificate_soon_over, ["certificate"], WARNING, "expires in", "party certificate alice --renew"),
    (certificate_over, ["certificate"], PROBLEM, "expired on", "renew it"),
    (certificate_of_a_coordinator, ["certificate"], PROBLEM, "wrong extended key usage", "docs/operations.md"),
    (certificate_of_another_name, ["certificate"], PROBLEM, "has the wrong name", "docs/operations.md"),
    (readable_key, ["certificate"], PROBLEM, "private key is open to others", "chmod 600"),
    (key_of_another_certificate, ["certificate"], PROBLEM, "does not belong", "replace the file"),
    (leaf_for_an_authority, ["trust"], PROBLEM, "no authority's", "ask that organisation"),
    (authority_that_all_may_change, ["trust"], PROBLEM, "can be changed by every user", "chmod o-w"),
    (other_machine, ["ports"], PROBLEM, "is no address of this machine", "0.0.0.0"),
    (unresolvable, ["ports"], PROBLEM, "its host does not resolve", "write an IP address"),
    (open_state, ["permissions"], PROBLEM, "is open to others: mode 0640", "chmod -R go-rwx"),
    (altered_ledger, ["ledger"], PROBLEM, "was altered", "find out who did it"),
    (missing_file, ["data"], PROBLEM, "train.csv", "data.datasets"),
    (missing_column, ["data"], PROBLEM, "columns missing: income", "check data.features"),
    (malformed_cell, ["data"], PROBLEM, "column income: malformed cells", "correct the file"),
    (other_vocabulary, ["data"], WARNING, "values that train does not have", "do what it says"),
    (changed_since_aligned, ["alignments"], PROBLEM, "has changed since", "coordinator align"),
    (few_in_common, ["alignments"], WARNING, "9 of 393 rows of train are in common (2.3 %)", "writes its ids"),
    (aligned_with_strangers, ["alignments"], WARNING, "aligned with charlie", "coordinator align"),
    (damaged_alignment, ["alignments"], PROBLEM, "stored alignment is damaged", "delete it and align again"),
    (full_disk, ["disk"], PROBLEM, "1.0 MB of space on the disk are left", "free space"),
    (little_memory, ["memory"], PROBLEM, "200.0 MB of memory are left", "end other processes"),
    (few_open_files, ["open files"], PROBLEM, "only 64 files", "LimitNOFILE"),
    (other_encoding, ["locale"], WARNING, "written as latin-1", "LC_ALL=C.UTF-8"),
    (unknown_zone, ["locale"], WARNING, "TZ names no time zone", "unset TZ"),
    (old_processor, ["models"], PROBLEM, "lacks AVX", "another machine"),
    (unknown_optimizer, ["models"], PROBLEM, "adamant is not known here", "did you mean"),
]


@pytest.mark.parametrize(
    ("plant", "examinations", "severity", "what", "fix"), FAULTS, ids=[one[0].__name__ for one in FAULTS]
)
def test_planted_fault_is_found(organisations, plant, examinations, severity, what, fix):
    diagnosis = examine(organisations, **(plant(organisations) or {}))
    expect_fault(diagnosis, examinations, severity, what, fix)
    assert [cell for cell in CELLS if cell in shown(diagnosis)] == []


@pytest.mark.parametrize("speaks", ["nothing", "TLS"])
def test_port_that_another_process_holds(organisations, speaks, tmp_path):
    port = organisations.party_path("alice").read_text().partition("listen: 127.0.0.1:")[2].split()[0]
    if speaks == "nothing":
        with socket.create_server(("127.0.0.1", int(port))):
            diagnosis = examine(organisations)
    else:
        organisations.write_party("bob", listen=f"127.0.0.1:{port}")
        with organisations:
            organisations.start_server("bob")
            diagnosis = examine(organisations)
    expect_fault(diagnosis, ["ports"], PROBLEM, "is taken by another process", "choose another port")


@pytest.mark.parametrize("key", ["health", "prometheus"])
def test_port_for_monitoring_that_another_process_holds(organisations, key):
    with socket.create_server(("127.0.0.1", 0)) as holding:
        organisations.write_party("alice", **{key: {"listen": f"127.0.0.1:{holding.getsockname()[1]}"}})
        diagnosis = examine(organisations)
    expect_fault(diagnosis, ["ports"], PROBLEM, f"{key}.listen 127.0.0.1:", "choose another port")


def test_party_that_serves_elsewhere_than_its_file_says(organisations):
    with organisations:
        organisations.start_server("alice")
        organisations.write_party("alice", listen=free_address())
        diagnosis = examine(organisations)
    expect_fault(diagnosis, ["ports"], PROBLEM, "a party serves with this state folder, and not here", "restart")


def test_port_that_changes_at_each_start(organisations):
    organisations.write_party("alice", listen="127.0.0.1:0")
    expect_fault(examine(organisations), ["ports"], WARNING, "has port 0", "write a fixed port")


def test_more_threads_than_cores(organisations):
    organisations.write_party("alice", threads={"intra_operation": 512})
    path = organisations.party_path("alice")
    (found,) = examine_threads(PartySubject(path, load_party_configuration(path), Machine()))
    assert (found.severity, found.where) == (WARNING, "threads.intra_operation")
    assert "set auto" in found.fix


def test_library_that_is_missing():
    first, second = examine_libraries(("numpy", "a-library-that-nobody-has"), "install it")
    assert (first.severity, first.fix) == (PROBLEM, "install it")
    assert f"numpy {np.__version__}" in second.what


def test_large_embedding_tables_need_a_larger_disk(tmp_path):
    """Against the oracle of what docs/operations.md says: 4 bytes, the width and one more, two slots, three copies."""
    model = {**SMALL_MODEL, "embedding_dimension": 1023}
    organisations = set_up(tmp_path / "federation", alice={"model": model})
    rows = 5 * (1023 + 1) * 4 * 3  # of city: two reserved, three cities; income, a number, has one
    needed = 100_000_000 + 3 * (rows + 1024 * 4 * 3)
    enough = examine(organisations, free_bytes=lambda folder: 2 * needed + 1)
    assert amiss(enough) == []
    expect_fault(examine(organisations, free_bytes=lambda folder: needed - 1), ["disk"], PROBLEM, "left", "free space")


# The command


def test_command_says_all_and_ends_with_the_code_of_a_configuration(organisations):
    readable_key(organisations)
    path = organisations.party_path("alice")
    done = CliRunner().invoke(main, ["doctor", "--config", str(path)])
    assert done.exit_code == 2
    lines = done.stdout.splitlines()
    (number,) = [number for number, line in enumerate(lines) if line.startswith("problem")]
    assert "certificate" in lines[number]
    assert lines[number + 1].strip().startswith("-> run chmod 600 ")
    assert lines[-1] == "party alice: 1 problem, 0 warnings"
    assert done.stderr == "error: the doctor found 1 problem; do what is said above\n"
    document = CliRunner().invoke(main, ["doctor", "--json", "--config", str(path)])
    assert (document.exit_code, json.loads(document.stdout)["problems"]) == (2, 1)


def test_warnings_alone_leave_the_exit_code_at_zero(organisations):
    pinned_secret(organisations)
    done = CliRunner().invoke(main, ["doctor", "--config", str(organisations.party_path("alice"))])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "party alice: 0 problems, 1 warning"


# Findings


def test_a_finding_without_advice_is_refused():
    with pytest.raises(ValueError, match="what to do"):
        Finding(severity=Severity.PROBLEM, what="is wrong")


def test_an_examination_that_fails_is_a_problem_and_the_others_go_on():
    def fails(subject):
        yield Finding(severity=Severity.OK, what=subject)
        raise DataError("cannot be read", where="a file")

    def lacks_rights(subject):
        raise PermissionError(13, "Permission denied")
        yield

    found = examined("fine", {"one": fails, "two": lacks_rights, "three": lambda subject: []})
    assert [one.severity for one in found["one"]] == [Severity.OK, PROBLEM]
    assert found["one"][1].fix
    assert "Permission denied" in found["two"][0].what
    assert found["three"] == ()


# Readings of the machine


def test_memory_is_the_less_of_machine_and_container(tmp_path):
    memory, limit, use = (tmp_path / name for name in ("meminfo", "max", "current"))
    memory.write_text("MemTotal: 900 kB\nMemAvailable:   500 kB\n")
    assert available_memory(memory, limit, use) == 500 * 1024
    limit.write_text("400000\n")
    use.write_text("100000\n")
    assert available_memory(memory, limit, use) == 300_000
    limit.write_text("max\n")
    assert available_memory(memory, limit, use) == 500 * 1024
    assert available_memory(tmp_path / "none", tmp_path / "none", use) is None


def test_features_of_the_processor_are_read(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nflags\t\t: fpu SSE2 avx\n")
    assert processor_features(path) == {"fpu", "sse2", "avx"}
    assert processor_features(tmp_path / "none") == frozenset()
