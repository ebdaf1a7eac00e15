"""Every session is in every party's ledger, rights are those of the coordinator, and reload revokes."""

import json
import re

import pytest
import yaml
from click.testing import CliRunner

from party.cli import main
from party.ledger.file import HEAD_FILE, LEDGER_FILE
from tests.support.commands import expect_error, run_party
from tests.support.json_keys import documented_keys, undocumented
from tests.support.organisations import COORDINATOR, Organisations, authority, make_frames, tls
from tests.support.terminals import WIDTHS, on_terminal

OTHER = "auditor"
TRAINING = {"epochs": 2, "batch_size": 31, "validation_fraction": 0.167}
PURPOSES = ["align", "train", "evaluate", "predict"]


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """Two parties that know two coordinators; a run was aligned, trained, evaluated and predicted by the first."""
    folder = tmp_path_factory.mktemp("ledger")
    coordinators = [
        {"name": COORDINATOR, "ca": authority(COORDINATOR)},
        {"name": OTHER, "ca": authority(OTHER), "purposes": ["align", "evaluate"], "datasets": ["test"]},
    ]
    overrides = {name: {"coordinators": coordinators} for name in ("alice", "bob")}
    frames = make_frames(("alice", "bob"), datasets=("train", "test"))
    with Organisations(folder, frames=frames, training=TRAINING, overrides=overrides) as made:
        made.add_coordinator(OTHER)
        made.start().write_run()
        for purpose in PURPOSES:
            done = made.coordinator(purpose)
            assert done.returncode == 0, done.stderr
        yield made


def lines(organisations, name):
    done = run_party("ledger", "--json", "--config", organisations.party_path(name))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["entries"]


def as_other(organisations, *arguments):
    """Runs the coordinator command with the other coordinator's certificate."""
    path = organisations.run_path
    mine = path.read_text()
    path.write_text(yaml.safe_dump({**yaml.safe_load(mine), "coordinator": OTHER, "tls": tls(OTHER)}))
    try:
        return organisations.coordinator(*arguments)
    finally:
        path.write_text(mine)


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_every_session_has_its_lines(organisations, name):
    entries = lines(organisations, name)
    for purpose in PURPOSES:
        events = [one["event"] for one in entries if one["purpose"] == purpose and one["coordinator"] == COORDINATOR]
        assert events[:3] == ["opened", "agreed", "ended"], purpose
    by_purpose = {one["purpose"]: one for one in entries if one["event"] == "ended"}
    assert {one["result"] for one in by_purpose.values()} == {"completed"}
    train = by_purpose["train"]
    held_out = int(train["rows"] * TRAINING["validation_fraction"])
    epochs = TRAINING["epochs"]
    trained = (train["rows"] - held_out) * epochs
    if name == "alice":
        assert train["releases"] == {"hiddens": trained + held_out * epochs}
        evaluated = {"hiddens": by_purpose["evaluate"]["rows"], "data_quality": 1}
        assert by_purpose["evaluate"]["releases"] == evaluated
        assert by_purpose["predict"]["releases"] == {"hiddens": by_purpose["predict"]["rows"]}
    else:
        assert train["releases"] == {"gradients": trained, "metrics": 2 * epochs}
        assert by_purpose["evaluate"]["releases"] == {"gradients": 0, "metrics": 1, "data_quality": 1}
        assert by_purpose["predict"]["releases"] == {"predictions": by_purpose["predict"]["rows"]}
    assert by_purpose["align"]["releases"]["intersections"] > 0
    assert by_purpose["align"]["releases"]["data_quality"] == 2
    assert train["peers"] == [{"alice": "bob", "bob": "alice"}[name]]
    assert (train["datasets"], train["epochs"], train["codecs"]["hidden"]) == (["train"], epochs, "float32")


def test_what_is_released_is_what_was_reserved(organisations):
    for name in organisations.names:
        entries = lines(organisations, name)
        reserved = {one["session"]: one["releases"] for one in entries if one["event"] == "agreed"}
        for one in entries:
            if one["event"] == "ended" and one["purpose"] != "align":
                assert {kind: count for kind, count in one["releases"].items() if count} == reserved[one["session"]]


def test_a_person_reads_and_verifies_it(organisations):
    path = organisations.party_path("bob")
    table = run_party("ledger", "--config", path)
    assert "coordinator" in table.stdout
    assert "completed" in table.stdout
    verified = run_party("ledger", "--verify", "--config", path).stdout
    digest = lines(organisations, "bob")[0]["digest"]
    assert "each follows the one before" in verified
    assert run_party("ledger", "--verify", "--known", digest, "--config", path).returncode == 0
    expect_error(run_party("ledger", "--verify", "--known", "0" * 64, "--config", path), 12, "with this digest")
    limits = run_party("ledger", "--limits", "--config", path).stdout
    assert "evaluate on dataset test: 1 of 10" in limits
    assert "train on dataset train: 1 of 200" in limits


SCREENS = """
import sys
from party.cli import main
for arguments in ([], ["--limits"], ["--budget"], ["--verify"]):
    main(["ledger", *arguments, "--config", sys.argv[1]], standalone_mode=False)
main(["runs", "--config", sys.argv[1]])
"""


def used_text(used):
    return f"{used:,.1f}" if isinstance(used, float) else f"{used:,}"


@pytest.mark.parametrize("columns", WIDTHS)
def test_screens_fit_the_terminal_and_have_every_line(organisations, columns):
    code, screen = on_terminal(columns, SCREENS, organisations.party_path("bob"))
    assert code == 0, screen
    assert [line for line in screen if len(line) > columns and len(line.split()) > 1] == []
    assert not any("\x1b" in line for line in screen)
    text = "\n".join(screen)
    for entry in lines(organisations, "bob"):
        day, _, second = entry["time"][:19].partition("T")
        assert re.search(rf"{day}\s+{second}", text), entry["sequence"]
    assert text.count("completed") == len(PURPOSES)


@pytest.mark.parametrize(
    "arguments", ["ledger", "ledger --limits", "ledger --budget", "ledger --verify", "runs", "data"]
)
def test_documents_have_documented_keys_and_the_facts_of_the_lines(organisations, arguments):
    path = ("--config", str(organisations.party_path("bob")))
    command = CliRunner().invoke(main, [*arguments.split(), "--json", *path])
    document = json.loads(command.stdout)
    assert document["command"] == f"party {arguments.split()[0]}"
    assert undocumented(document, documented_keys()[f"party {arguments}"]) == []
    said = CliRunner().invoke(main, [*arguments.split(), *path]).stdout
    facts = {
        "ledger": lambda: [entry["result"] for entry in document["entries"]],
        "ledger --limits": lambda: [f"{one['what']}: {used_text(one['used'])} of" for one in document["limits"]],
        "ledger --budget": lambda: document["together"]["receivers"],
        "ledger --verify": lambda: [f"{document['entries']} lines", document["last_digest"]],
        "runs": lambda: [document["runs"][0]["run_id"], document["runs"][0]["state"]],
        "data": lambda: ["nothing is stored"] * (not document["stored"]),
    }[arguments]()
    assert facts
    assert [fact for fact in facts if fact not in said] == []


def test_another_coordinator_has_its_own_rights_and_no_run_of_others(organisations):
    assert as_other(organisations, "status").returncode == 0
    expect_error(as_other(organisations, "train"), 9, "refused by policy.coordinators.purposes", "received train")
    expect_error(as_other(organisations, "align"), 9, "refused by policy.coordinators.datasets")
    expect_error(
        as_other(organisations, "evaluate", "--dataset", "test"),
        9,
        "refused by policy.coordinators: the run is another",
    )
    for name in organisations.names:
        refused = [one for one in lines(organisations, name) if one["event"] == "refused"]
        assert {one["coordinator"] for one in refused} <= {OTHER}
    assert any(one["event"] == "refused" for name in organisations.names for one in lines(organisations, name))


def test_a_state_folder_has_one_server(organisations):
    done = run_party("serve", "--config", organisations.party_path("alice"))
    expect_error(done, 12, "state folder: is in use by another process")


def test_reload_takes_up_limits_and_revokes_a_coordinator(organisations):
    path = organisations.party_path("bob")
    done = run_party("reload", "--config", path)
    assert (done.returncode, done.stdout) == (0, "party bob: nothing changed\n")
    first = [{"name": COORDINATOR, "ca": authority(COORDINATOR)}]
    organisations.write_party("bob", policy={"maximum_evaluations": 1}, coordinators=first)
    done = run_party("reload", "--config", path)
    assert done.stdout == (f"party bob: changed: coordinators, policy; no longer trusted as before: {OTHER}\n"), (
        done.stderr
    )
    expect_error(organisations.coordinator("evaluate"), 9, "bob: refused by policy.maximum_evaluations: ")
    expect_error(as_other(organisations, "evaluate", "--dataset", "test"), 5, "may not trust this certificate")
    assert [one["event"] for one in lines(organisations, "bob")].count(
        "reloaded"
    ) == 1  # "nothing changed" is no reload


def test_reload_sees_an_authority_that_was_replaced_in_place(organisations):
    """The configuration is the same text; who it trusts is not."""
    path = organisations.certificates("bob") / "alice-ca.pem"
    before = path.read_bytes()
    path.write_bytes((organisations.certificates(OTHER) / f"{OTHER}-ca.pem").read_bytes())
    done = run_party("reload", "--config", organisations.party_path("bob"))
    assert done.stdout == "party bob: changed: authorities; no longer trusted as before: alice\n", done.stderr
    path.write_bytes(before)
    assert run_party("reload", "--config", organisations.party_path("bob")).returncode == 0


def test_reload_refuses_what_needs_a_restart(organisations):
    path = organisations.party_path("alice")
    before = path.read_text()
    organisations.write_party("alice", log_level="debug")
    done = run_party("reload", "--config", path)
    expect_error(done, 2, "alice: log_level: cannot change while the party serves", "restart")
    path.write_text(before.replace("policy:", "polizy:"))
    expect_error(run_party("reload", "--config", path), 2, "unknown key polizy, did you mean policy?")
    path.write_text(before)
    assert "nothing changed" in run_party("reload", "--config", path).stdout


def test_what_a_killed_party_left_open_is_closed_when_it_starts_again(organisations):
    organisations.kill("alice")
    organisations.restart("alice")
    entries = lines(organisations, "alice")
    opened = {one["session"] for one in entries if one["event"] == "opened"}
    assert opened == {one["session"] for one in entries if one["event"] == "ended"}
    assert entries[-1]["event"] == "started"
    expect_error(run_party("reload", "--config", organisations.folder / "nothing.yaml"), 2, "not found")


def test_a_party_whose_ledger_is_gone_neither_starts_nor_verifies(organisations):
    organisations.kill("alice")
    state, path = organisations.state_path("alice"), organisations.party_path("alice")
    kept = {file: (state / file).rename(state.with_name(file)) for file in (LEDGER_FILE, HEAD_FILE)}
    for command in (["serve"], ["ledger", "--verify"]):
        done = run_party(*command, "--config", path)
        expect_error(done, 12, "ledger: has no line of the runs that are here", "from a backup", "start at zero")
    for file, away in kept.items():
        away.rename(state / file)
    organisations.restart("alice")
    assert "each follows the one before" in run_party("ledger", "--verify", "--config", path).stdout
