"""A federation on one machine, as a notebook starts it: files, processes, failures; and the page that shows it."""

import json
import os
import select
import stat
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from coordinator import LocalFederation, connect
from party.errors import ConfigurationError, ConnectionLostError, DataError, IdentityError, SessionError
from tests.support.documents import ROOT, fences

ROWS = 400
PAGE = ROOT / "docs" / "python.md"


def described(**alice):
    """Two parties with a dataset; keys of alice's description may be replaced."""
    generator = np.random.default_rng(3)
    ids = [f"id-{number}" for number in range(ROWS)]
    users = pd.DataFrame({"ID": ids, "age": generator.integers(18, 80, ROWS)})
    films = pd.DataFrame(
        {"ID": ids[::-1], "film": generator.choice(["a", "b"], ROWS), "stars": ["2", "5"] * (ROWS // 2)}
    )
    return {
        "alice": {"frames": {"train": users}, "features": [{"column": "age", "kind": "numeric"}], **alice},
        "bob": {
            "frames": {"train": films},
            "features": [{"column": "film", "kind": "vocabulary"}],
            "labels": {"liked": {"rule": "stars > 3"}},
        },
    }


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "trial"


@pytest.mark.timeout(600)
def test_the_page_works_as_it_stands(tmp_path):
    """All its blocks, one after the other, as the cells of one notebook."""
    program = "\n".join(fences(PAGE.read_text(), ("python",)))
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "'auc'" in done.stdout
    for path in [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `trial/")]:
        assert (tmp_path / path).exists(), path


def test_parties_are_processes_that_survive_a_kill_and_end_with_the_block(folder):
    with LocalFederation(folder, described(), training={"epochs": 1}) as local:
        addresses = dict(local.addresses)
        assert (local.label_party, list(addresses)) == ("bob", ["alice", "bob"])
        with local.connect() as federation:
            (aligned,) = federation.align()
            assert aligned.rows_in_common == ROWS
            first = federation.fit()
        local.kill("alice")
        assert not local.processes["alice"].is_running
        local.restart("alice")
        assert local.addresses == addresses
        with pytest.raises(SessionError, match="party bob: runs already"):
            local.processes["bob"].launch()
        local.write_run({"epochs": 2})
        with connect(str(local.run_path)) as federation:
            assert federation.align()[0].reused
            assert len(federation.fit().epoch) == 2
        processes = [one.process for one in local.processes.values()]
    assert [process.returncode for process in processes] == [0, 0]
    assert (local.state_path("bob") / "runs" / first.run_id / "weights.npz").exists()
    assert local.log("alice").count(" is ready on ") == 2
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


OWNER = """
import json, signal, sys
from coordinator import LocalFederation

local = LocalFederation(sys.argv[1], json.loads(sys.argv[2])).start()
print(*(one.process.pid for one in local.processes.values()), flush=True)
signal.pause()
"""


def test_parties_end_when_their_owner_is_killed(folder, tmp_path):
    parties = described()
    for name, party in parties.items():
        path = tmp_path / f"{name}.csv"
        party["frames"].pop("train").to_csv(path, index=False)
        party["frames"]["train"] = str(path)
    command = [sys.executable, "-c", OWNER, str(folder), json.dumps(parties)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        served = [os.pidfd_open(int(pid)) for pid in owner.stdout.readline().split()]
        assert len(served) == 2
        owner.kill()
    for descriptor in served:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(120_000)
        os.close(descriptor)


def test_a_folder_is_used_again(folder):
    first = LocalFederation(folder, described())
    certificates = {path: path.read_bytes() for path in folder.glob("*/certificates/*")}
    again = LocalFederation(folder, described(model={"kind": "dnn"}, listen="127.0.0.1:9999"))
    assert {path: path.read_bytes() for path in folder.glob("*/certificates/*")} == certificates
    assert yaml.safe_load(again.party_path("alice").read_text())["model"] == {"kind": "dnn"}
    assert again.addresses == {"alice": "127.0.0.1:9999"}
    assert first.party_path("alice") == again.party_path("alice")


def test_nothing_is_insecure_and_every_party_has_its_own_key(folder):
    local = LocalFederation(folder, described())
    for name in local.names:
        content = yaml.safe_load(local.party_path(name).read_text())
        assert not {"insecure", "pinned_secret", "policy"} & set(content)
    own = {path.parent.parent.name for path in folder.rglob("*-key.pem")}
    assert own == {"alice", "bob", "coordinator"}
    assert all(path.name.startswith(path.parent.parent.name) for path in folder.rglob("*-key.pem"))


def test_a_file_is_used_where_it_lies(folder, tmp_path):
    path = tmp_path / "users.csv"
    described()["alice"]["frames"]["train"].to_csv(path, index=False)
    local = LocalFederation(folder, described(frames={"train": str(path)}))
    assert yaml.safe_load(local.party_path("alice").read_text())["data"]["datasets"] == {"train": str(path)}
    assert not (folder / "alice" / "train.csv").exists()
    local.write_frame("alice", "train", pd.DataFrame({"ID": ["1"], "age": [2]}))
    local.write_party("alice")
    assert (folder / "alice" / "train.csv").read_text() == "ID,age\n1,2\n"
    assert yaml.safe_load(local.party_path("alice").read_text())["data"]["datasets"] == {"train": "train.csv"}


def test_transformations_of_the_key_of_tables_go_where_the_key_is(folder):
    parties = described(transforms=["strip", "lower"], transformed=False)
    parties["alice"]["tables"] = parties["alice"].pop("frames")
    local = LocalFederation(folder, parties)
    data = yaml.safe_load(local.party_path("alice").read_text())["data"]
    assert (data["transforms"], data["transformed"]) == (["strip", "lower"], False)
    assert list(data["tables"]) == ["train"]


FRAME = pd.DataFrame({"ID": ["1"], "age": [2]})


def labels(**parties):
    return {name: {"labels": {"liked": {"rule": "stars > 3"}} if holds else None} for name, holds in parties.items()}


@pytest.mark.parametrize(
    ("parties", "error", "text"),
    [
        ({}, ConfigurationError, "needs at least two parties, exactly one with labels; received 0 parties"),
        (labels(bob=True), ConfigurationError, "received 1 parties, labels at bob"),
        (labels(alice=False, bob=False), ConfigurationError, "labels at none"),
        (labels(alice=True, bob=True), ConfigurationError, "labels at alice, bob"),
        (labels(alice=False, BOB=True), IdentityError, "'BOB': cannot be a certificate name"),
        (described(frames={"train": "nothing.csv"}), DataError, "there is no such file; check frames.train of alice"),
        (described(frames={"train": [1, 2]}), DataError, "alice: frames.train: is not a data frame.*received list"),
        (described(frames=FRAME), ConfigurationError, "alice: frames: must be a dictionary; received DataFrame"),
        (
            described(frames={"../../escaped": FRAME}),
            ConfigurationError,
            "'../../escaped': cannot be the name of a data",
        ),
        (described(frames={"a/b": FRAME}), ConfigurationError, "alice: frames: 'a/b': cannot be the name of a dataset"),
        (described(frames={"train": FRAME.set_index("ID")}), DataError, "column ID is the index.*call reset_index"),
        ({**described(), "coordinator": {}}, ConfigurationError, "party coordinator: is the coordinator's name"),
        ({**described(), 3: {}}, IdentityError, "3: cannot be a certificate name"),
        ({**described(), "carol": None}, ConfigurationError, "party carol: must be a dictionary; received NoneType"),
        ([described()], ConfigurationError, "parties: must be a dictionary; received list"),
        (
            described(model={"units": np.int64(3)}),
            ConfigurationError,
            "alice.yaml: has a value that YAML cannot represent",
        ),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(folder, parties, error, text):
    with pytest.raises(error, match=text):
        LocalFederation(folder, parties)
    assert not list(folder.parent.rglob("*escaped*"))


def test_sections_of_the_run_are_dictionaries(folder):
    with pytest.raises(ConfigurationError, match="training: must be a dictionary; received list"):
        LocalFederation(folder, described(), training=["epochs"])


@pytest.mark.parametrize("call", ["kill", "restart", "start", "write_party", "log", "state_path", "party_path"])
def test_a_name_that_is_no_party_is_refused(folder, call):
    local = LocalFederation(folder, described())
    with pytest.raises(ConfigurationError, match="there is no such party; expected alice, bob; received 'alicia'"):
        getattr(local, call)("alicia")


@pytest.mark.parametrize(
    ("datasets", "run", "text"),
    [
        (("other",), {}, "the parties have no dataset in common; received alice: other; bob: train"),
        (("train", "test"), {}, "frames: test: bob lacks the dataset; give bob a frame for it"),
        (("train", "late"), {"evaluate_dataset": "late"}, "frames: late: bob lacks the dataset"),
        (("train", "late"), {"alignment": {"datasets": ["late"]}}, "frames: late: bob lacks the dataset"),
    ],
)
def test_a_dataset_that_the_run_needs_must_be_at_every_party(folder, datasets, run, text):
    local = LocalFederation(folder, described(frames=dict.fromkeys(datasets, FRAME)), run=run)
    with pytest.raises(ConfigurationError, match=text):
        local.start()
    assert not any(process.process for process in local.processes.values())


def test_changes_add_up(folder):
    """Two changes of a party are both in its file, and what `write_run` set stays when `start` writes it."""
    local = LocalFederation(folder, described(), training={"epochs": 2})
    local.write_party("alice", model={"kind": "dnn"}, seed=None)
    local.write_party("alice", threads={"intra_operation": 2})
    content = yaml.safe_load(local.party_path("alice").read_text())
    assert (content["model"], content["threads"]) == ({"kind": "dnn"}, {"intra_operation": 2})
    local.write_run({"epochs": 5}, addresses=dict.fromkeys(local.names, "127.0.0.1:1"), output="elsewhere")
    for number, process in enumerate(local.processes.values()):
        process.command = [sys.executable, "-c", SERVES.format(number + 2)]
    with local:
        content = yaml.safe_load(local.run_path.read_text())
    assert (content["training"], content["output"]) == ({"epochs": 5}, "elsewhere")
    assert [one["address"] for one in content["parties"]] == ["127.0.0.1:2", "127.0.0.1:3"]


SERVES = "import signal; print('party is ready on 127.0.0.1:{}', flush=True); signal.pause()"  # like a party


def test_a_party_that_does_not_come_back_stops_no_other(folder):
    local = LocalFederation(folder, described())
    local.processes["bob"].command = [sys.executable, "-c", SERVES.format(7)]
    local.start("bob")
    local.write_party("alice", modle={})
    with pytest.raises(ConfigurationError, match="unknown key modle"):
        local.restart("alice")
    assert [name for name in local.names if local.processes[name].is_running] == ["bob"]
    local.stop()


def test_an_error_of_the_block_comes_before_one_of_stopping(folder, monkeypatch):
    monkeypatch.setattr("coordinator.local_party.STOPPING_SECONDS", 0.1)
    local = LocalFederation(folder, described())
    for process in local.processes.values():
        process.command = [
            sys.executable,
            "-c",
            f"import signal; signal.signal(15, signal.SIG_IGN); {SERVES.format(7)}",
        ]
    with pytest.raises(ConnectionLostError, match="did not end when asked to, and was killed"), local:
        pass
    with pytest.raises(ZeroDivisionError), local:
        raise ZeroDivisionError


def test_the_run_needs_addresses(folder):
    with pytest.raises(ConfigurationError, match="the address of alice, bob is not known; start the parties first"):
        LocalFederation(folder, described()).write_run()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"id": "key"}, DataError, r"party alice: did not start; its log ends with: alice: train\.csv: .*key"),
        ({"modle": {}}, ConfigurationError, "unknown key modle, did you mean model"),
    ],
)
def test_a_party_that_does_not_start_says_why_and_leaves_no_process(folder, change, error, text):
    local = LocalFederation(folder, described(**change))
    with pytest.raises(error, match=text):
        local.start()
    assert not any(process.is_running for process in local.processes.values())


PROGRAM = {  # what is started in alice's place
    "ends at once": ("raise SystemExit('nothing works\\nreally')", r"log ends with: nothing works \| really; read "),
    "ends without a word": ("pass", "log ends with: nothing; read "),
}


@pytest.mark.parametrize("case", PROGRAM)
def test_a_program_that_ends_is_reported_with_the_end_of_its_log(folder, case):
    program, text = PROGRAM[case]
    local = LocalFederation(folder, described())
    local.processes["alice"].command = [sys.executable, "-c", program]
    with pytest.raises(ConnectionLostError, match=text):
        local.start("alice")


def test_a_party_may_write_what_it_likes_and_has_to_answer_in_time(folder):
    program = "print('x' * 1_000_000, flush=True); print('party is ready on 127.0.0.1:7', flush=True); input()"
    process = LocalFederation(folder, described()).processes["alice"]
    process.command = [sys.executable, "-c", program.replace("input()", "import signal; signal.pause()")]
    process.launch()
    assert process.await_ready() == "127.0.0.1:7"
    process.kill()
    process.command = [sys.executable, "-c", "import signal; signal.pause()"]
    process.launch()
    with pytest.raises(ConnectionLostError, match=r"party alice: does not answer after 0\.1 s"):
        process.await_ready(0.1)
    process.terminate()
    assert process.await_end()
    assert not process.is_running
