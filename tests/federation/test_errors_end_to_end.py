"""Every mistake that a person can mend is one line that says where it is, and an exit code."""

import shutil
import socket
import subprocess
import sys
from concurrent import futures
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import yaml

from coordinator import connect
from party.security.certificates import Usage
from party.security.issuing import write_organisation
from tests.support.commands import expect_error, run_party
from tests.support.organisations import COORDINATOR, FEATURES, SMALL_MODEL, authority, tls

OTHER_VERSION = """
import sys
import party
party.__version__ = "9.9.9"
from party.cli import main
main()
"""
PAST = datetime.now(UTC) - timedelta(days=60)


def expired_certificate(organisations, name, usage):
    return write_organisation(name, usage, organisations.certificates("expired"), now=PAST, days=30)


def check(organisations, name):
    return run_party("check", "--config", organisations.party_path(name))


def change_table(organisations, name, change):
    frame = organisations.read_table(name, "train")
    organisations.write_frame(name, "train", change(frame))


def test_configuration_that_is_not_there(tmp_path):
    path = tmp_path / "absent.yaml"
    expect_error(run_party("check", "--config", path), 2, str(path), "configuration file not found", "--config")


def test_unknown_keys_name_the_nearest_one(make_organisations):
    organisations = make_organisations()
    organisations.write_party("alice", policy={"minimum_bach": 3}, modle=SMALL_MODEL)
    done = check(organisations, "alice")
    expect_error(
        done,
        2,
        str(organisations.party_path("alice")),
        "unknown key policy.minimum_bach, did you mean minimum_batch?",
        "unknown key modle, did you mean model?",
    )
    organisations.write_run(ports={"alice": 1, "bob": 2}, trianing={"epochs": 1})
    expect_error(organisations.coordinator("train"), 2, "run.yaml", "unknown key trianing, did you mean training?")


def test_data_that_cannot_be_used(make_organisations):
    organisations = make_organisations()
    original = organisations.read_table("alice", "train")

    change_table(organisations, "alice", lambda frame: frame.rename(columns={"income": "incomes"}))
    expect_error(check(organisations, "alice"), 3, "alice: train.csv: columns missing: income (did you mean incomes?)")

    repeated = original["ID"].iloc[3]
    organisations.write_frame("alice", "train", original.assign(ID=original["ID"].where(original.index > 9, repeated)))
    line = expect_error(check(organisations, "alice"), 3, "alice: train.csv: column ID: ids are not unique")
    assert repeated not in line

    organisations.table_path("alice", "train").unlink()
    expect_error(check(organisations, "alice"), 3, "alice: train.csv: file not found", "check data.datasets.train")

    change_table(organisations, "bob", lambda frame: frame.assign(rating="5"))
    checked = check(organisations, "bob")  # to evaluate and predict it is fine
    assert checked.returncode == 0, checked.stderr
    assert "label liked, rating > 3: 100.0 % positive, one class only: not to be trained on" in checked.stdout


def test_own_certificate_that_is_unfit(make_organisations):
    organisations = make_organisations()
    organisations.write_party("alice", tls=tls("bob"))
    expect_error(check(organisations, "alice"), 4, "bob.pem", "alice", "bob")

    files = expired_certificate(organisations, "alice", Usage.PARTY)
    organisations.write_party("alice", tls={"certificate": str(files.certificate), "key": str(files.key)})
    expect_error(check(organisations, "alice"), 4, "alice.pem", "expired")

    files = expired_certificate(organisations, COORDINATOR, Usage.COORDINATOR)
    credentials = {"certificate": str(files.certificate), "key": str(files.key)}
    organisations.write_run(ports={"alice": 1, "bob": 2}, tls=credentials)
    expect_error(organisations.coordinator("train"), 4, f"{COORDINATOR}.pem", "expired")


def test_party_that_is_not_reached(make_organisations):
    organisations = make_organisations().start_servers()
    organisations.write_run(ports={**organisations.ports, "alice": 1}, connect_timeout_seconds=0.4)
    expect_error(organisations.coordinator("align"), 5, "party alice at 127.0.0.1:1: cannot be reached", "party serve")


def test_party_that_is_somebody_else(make_organisations):
    organisations = make_organisations().start_servers()
    address = f"127.0.0.1:{organisations.ports['bob']}"
    parties = [{"name": name, "address": address, "ca": authority("bob")} for name in ("alice", "bob")]
    organisations.write_run(parties=parties, connect_timeout_seconds=0.4)
    expect_error(organisations.coordinator("align"), 4, f"party alice at {address}", "carries another name")

    parties = [{"name": name, "address": address, "ca": authority("alice")} for name in ("alice", "bob")]
    organisations.write_run(parties=parties, connect_timeout_seconds=0.4)
    expect_error(organisations.coordinator("align"), 4, f"party alice at {address}", "no trusted connection")


def test_coordinator_that_a_party_does_not_know(make_organisations):
    organisations = make_organisations()
    organisations.write_party("alice", coordinators=[{"name": COORDINATOR, "ca": authority("bob")}])
    organisations.start_servers().write_run(connect_timeout_seconds=0.4)
    expect_error(organisations.coordinator("align"), 5, "party alice at ", "look at its log", "may not trust")

    organisations.stop_server("alice")
    organisations.write_party("alice", coordinators=[{"name": "another", "ca": authority(COORDINATOR)}])
    organisations.start_server("alice")
    organisations.write_run()
    line = expect_error(organisations.coordinator("align"), 4, "alice: ", "no name that is trusted here")
    assert "another" not in line, "who else is trusted is nothing for a stranger"


def test_certificate_that_expired_while_its_party_served(make_organisations):
    """A party whose certificate has expired does not start, so one that speaks TLS alone takes its place."""
    organisations = make_organisations().start_servers()
    files = expired_certificate(organisations, "alice", Usage.PARTY)
    server = grpc.server(futures.ThreadPoolExecutor(1))
    pair = (files.key.read_bytes(), files.certificate.read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    shutil.copy(files.authority, organisations.certificates(COORDINATOR) / "alice-ca.pem")
    organisations.write_run(ports={**organisations.ports, "alice": port}, connect_timeout_seconds=0.4)
    done = organisations.coordinator("align")
    server.stop(None).wait()
    expect_error(done, 4, f"party alice at 127.0.0.1:{port}: the certificate there has expired", "must renew it")


def test_parties_that_do_not_fit_together(make_organisations):
    overrides = {"alice": {"model": {**SMALL_MODEL, "embedding_dimension": 6}}}
    organisations = make_organisations(overrides=overrides).start_servers()
    organisations.write_run()
    expect_error(organisations.coordinator("train"), 8, "train is not aligned", "with train in alignment.datasets")
    assert organisations.coordinator("align").returncode == 0
    expect_error(
        organisations.coordinator("train"),
        6,
        "hidden factor_sum has another width at bob than at alice",
        "expected 6; received 4",
        "set the same model.embedding_dimension at every party",
    )
    expect_error(organisations.coordinator("evaluate"), 2, "no finished run", "train first")
    organisations.write_run({"dataset": "holidays"})
    expect_error(organisations.coordinator("train"), 3, "alice: dataset holidays is not configured")


def test_data_that_changes_after_aligning(make_organisations):
    organisations = make_organisations().start_servers()
    organisations.write_run()
    assert organisations.coordinator("align").returncode == 0
    change_table(organisations, "alice", lambda frame: frame.iloc[::-1])
    expect_error(organisations.coordinator("train"), 8, "alice: dataset train", "its file has changed since")
    change_table(organisations, "bob", lambda frame: frame.assign(rating="1"))
    assert organisations.coordinator("align").returncode == 0
    expect_error(organisations.coordinator("train"), 3, "bob: its data cannot be used as they are", "its own log")
    change_table(organisations, "alice", lambda frame: frame.assign(ID="other-" + frame["ID"]))
    expect_error(organisations.coordinator("align"), 8, "no id is in common to all parties", "dataset train")


ALIGNING_REFUSALS = [
    ("bob", {"minimum_intersection": 5000}, "minimum_intersection", ("at least 5000 rows",)),
    ("bob", {"maximum_peer_rows": 10}, "maximum_peer_rows", ("at most 10 rows", "alice")),
]
TRAINING_REFUSALS = [
    ("alice", {"maximum_epochs": 2}, "maximum_epochs", ("at most 2", "received 3")),
    ("alice", {"minimum_batch": 32}, "minimum_batch", ("at least 32 rows", "remainder: drop")),
    ("bob", {"minimum_metric_rows": 200}, "minimum_metric_rows", ("held-out rows", "at least 200")),
    ("alice", {"peer_sets": [["bob", "charlie"]]}, "peer_sets", ("expected bob, charlie", "received bob")),
    ("bob", {"allowed_aggregations": ["concat"]}, "allowed_aggregations", ("factor_sum", "expected concat")),
]


@pytest.mark.parametrize(("command", "refusals"), [("align", ALIGNING_REFUSALS), ("train", TRAINING_REFUSALS)])
def test_refusals_name_the_rule_and_its_party(make_organisations, command, refusals):
    organisations = make_organisations(training={"epochs": 3, "validation_fraction": 0.167}).start_servers()
    organisations.write_run()
    if command == "train":
        assert organisations.coordinator("align").returncode == 0
    for party, policy, rule, parts in refusals:
        restart_with_policy(organisations, party, policy)
        expect_error(organisations.coordinator(command), 9, f"policy.{rule}", party, *parts)
        restart_with_policy(organisations, party, {})


def restart_with_policy(organisations, party, policy):
    organisations.stop_server(party)
    organisations.write_party(party, policy={"minimum_metric_rows": 1, **policy})
    organisations.start_server(party)
    organisations.write_run()


def test_one_coordinator_at_a_time_works_with_an_output_folder(make_organisations):
    organisations = make_organisations().start_servers()
    with connect(organisations.write_run()):
        done = organisations.coordinator("align")
    expect_error(done, 10, str(organisations.runs_path), "another coordinator works with this output folder")
    assert organisations.coordinator("align").returncode == 0


def test_debug_shows_the_traceback(make_organisations):
    organisations = make_organisations()
    organisations.write_run(ports={"alice": 1, "bob": 2}, connect_timeout_seconds=0.4)
    done = organisations.coordinator("align", "--debug")
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "ConnectionLostError: party alice at 127.0.0.1:1: cannot be reached" in done.stderr


def test_port_that_is_taken_and_another_version(make_organisations):
    organisations = make_organisations(features={"alice": FEATURES["alice"], "bob": FEATURES["bob"]})
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        organisations.write_party("bob", listen=address)
        taken = subprocess.Popen(
            [sys.executable, "-m", "party", "serve", "--config", str(organisations.party_path("bob"))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        script = organisations.folder / "other_version.py"
        script.write_text(OTHER_VERSION)
        command = [sys.executable, str(script), "serve", "--config", str(organisations.party_path("alice"))]
        organisations.processes["alice"].command = command
        organisations.start("alice")
        output, errors = taken.communicate(timeout=60)
    assert output == ""
    assert errors.splitlines()[-1].startswith(f"error: bob: cannot listen on {address}; ")
    assert (taken.returncode, "Traceback" in errors) == (2, False)

    organisations.write_party("bob")
    organisations.start_server("bob")
    organisations.write_run()
    expect_error(organisations.coordinator("align"), 6, "party alice at ", "runs another version", "received 9.9.9")


@pytest.mark.parametrize(
    ("change", "exit_code", "parts"),
    [
        ({"features": [{"column": "flim", "kind": "vocabulary"}]}, 3, ("bob: train.csv", "did you mean film?")),
        (
            {"labels": {"liked": {"rule": "rating > 3", "metrics": ["acu"]}}},
            2,
            ("data.labels.liked", "did you mean AUC?"),
        ),
    ],
    ids=["column", "metric"],
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_label_party_says_what_is_wrong_and_nothing_else(make_organisations, command, change, exit_code, parts):
    organisations = make_organisations()
    path = organisations.party_path("bob")
    content = yaml.safe_load(path.read_text())
    content["data"].update(change)
    path.write_text(yaml.safe_dump(content))
    expect_error(run_party(command, "--config", path), exit_code, *parts)
