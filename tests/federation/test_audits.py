"""Audits of real runs: what a party sent is what its peer received, and a page says what an attacker there finds."""

import json
import math
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from itertools import islice

import numpy as np
import pytest

from coordinator import connect
from party.audit.received_file import ReceivedFile, received_files
from party.audit.recording import FOLDER, SENT_FOLDER, read_ids
from party.audit.recording_audit import audit_recording
from party.audit.report.signed_part import read_parts
from party.audit.truth import read_truth
from party.configuration.party import load_party_configuration
from party.configuration.privacy import PrivacySection
from party.errors import DataError, StorageError
from party.own_audit import audit_part, column_secrets, recorded_run
from party.security.certificates import Usage, own_identity
from tests.support.audit_parts import write_signed
from tests.support.commands import expect_error, run_party
from tests.support.json_keys import documented_keys, undocumented
from tests.support.organisations import LABEL_RULE, Organisations, make_frames

NAMES = ("alice", "bob")
ROWS = 1500
TRAINING = {
    "epochs": 3,
    "batch_size": 64,
    "validation_fraction": 0.0835,
    "codecs": {"hidden": {"kind": "int8", "error_feedback": True}, "gradient": {"kind": "float16"}},
}
SECRETS = {"rich": "income > 3000", "ulm": "city == Ulm"}
EPSILON = 1.0
NOW = datetime.now(UTC)
PRIVATE = {"labels": {"liked": {"rule": LABEL_RULE, "privacy": {"epsilon": EPSILON}}}}


class Audited:
    """A federation that recorded a run, whose id is `run_id`."""

    def __init__(self, folder, **label_party):
        audit = {"record": True, "secrets": SECRETS}
        overrides = {"alice": {"audit": audit}, "bob": {"audit": {"record": True}, **label_party}}
        frames = make_frames(NAMES, rows=ROWS)
        folder.mkdir(mode=0o700)
        self.organisations = Organisations(folder, frames=frames, training=TRAINING, overrides=overrides)
        self.organisations.start_servers()
        self.organisations.write_run(evaluate_dataset="train")
        with connect(self.organisations.run_path) as parties:
            parties.align()
            self.run_id = parties.fit().run_id
            parties.evaluate()
        self.organisations.__exit__()

    def folder(self, name, kind):
        return self.organisations.state_path(name) / "runs" / self.run_id / kind

    def configuration(self, name):
        return load_party_configuration(self.organisations.party_path(name))

    @cache  # noqa: B019  # as long as the module
    def part(self, name):
        return self.audit(name, seed=0)

    def audit(self, name, seed):
        return audit_part(self.configuration(name), None, seed=seed, now=NOW)

    def rows(self, name):
        return {(row.secret, row.attack, row.attacker_has): row for row in self.part(name).rows}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return Audited(tmp_path_factory.mktemp("audits") / "plain")


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    return Audited(tmp_path_factory.mktemp("audits") / "private", **PRIVATE)


def batches(folder):
    """Everything that a folder holds, by purpose, sender, receiver and position."""
    files = [ReceivedFile(path) for path in folder.glob("*.batches")]
    return {
        (one.header.purpose, one.header.sender, one.header.receiver, batch.position): batch
        for one in files
        for batch in one.batches()
    }


@pytest.mark.parametrize(("sender", "receiver"), [("alice", "bob"), ("bob", "alice")])
def test_what_was_sent_is_recorded_as_it_was_received(plain, sender, receiver):
    sent, received = batches(plain.folder(sender, SENT_FOLDER)), batches(plain.folder(receiver, FOLDER))
    assert set(sent) == set(received)
    for key, batch in sent.items():
        assert batch.to_bytes() == received[key].to_bytes()
    assert {batch.trains for batch in sent.values()} == ({True, False} if sender == "alice" else {True})
    assert read_ids(plain.folder(sender, SENT_FOLDER), "train") == read_ids(plain.folder(receiver, FOLDER), "train")


def test_an_unprotected_run_is_open(plain):
    rows = plain.rows("bob")
    for attack in ("direction", "spectral", "half of the labels"):
        (row,) = [row for key, row in rows.items() if key[1] == attack]
        assert row.all_epochs > 0.99
        assert row.verdict == "open"
        assert row.ceiling is None
    hiddens = plain.rows("alice")
    for secret in SECRETS:
        row = hiddens[secret, "probe", "hiddens, 200 known"]
        assert row.all_epochs > 0.9
        assert (row.verdict, row.without_run) == ("open", "?")


def test_private_labels_stay_within_their_ceiling(private):
    rows = [row for row in private.part("bob").rows if row.secret == "liked"]
    measured = [row for row in rows if row.all_epochs != "?"]
    assert len(measured) >= 5
    for row in measured:
        assert row.ceiling == pytest.approx(math.e / (math.e + 1))
        assert row.verdict == "within"
    strongest = max(row.all_epochs for row in measured)
    assert strongest > 0.65, "an attack that finds nothing measures nothing"
    assert [one.title for one in private.part("bob").conditions.protections] == ["private labels, epsilon 1"]


def test_the_ledger_tells_exact_releases_from_an_epsilon(plain, private):
    (spent,) = plain.part("bob").spent.run
    assert (spent.secret, spent.epsilon, spent.is_exact) == ("labels", 0.0, True)
    (spent,) = private.part("bob").spent.run
    assert (spent.secret, spent.epsilon, spent.is_exact) == ("labels", EPSILON, False)
    columns = private.part("alice").spent
    assert [(one.secret, one.is_exact) for one in columns.all_runs] == [("columns", True)]
    assert columns.releases["hiddens"] > 3 * 0.9 * ROWS


def test_the_defender_finds_what_the_attacker_finds(plain):
    """The label party audits the gradients that it sent; alice attacks those that she received."""
    folder = plain.folder("alice", FOLDER)
    labels = plain.organisations.table_path("bob", "train")
    truth = read_truth(labels, read_ids(folder, "train"), {"liked": LABEL_RULE})
    found = audit_recording(folder, truth)
    assert len(found) >= 5
    rows = plain.rows("bob")
    for one in found:
        row = rows[one.secret, one.attack, one.attacker_has]
        assert (row.one_step, row.all_epochs) == (one.one_step, one.all_epochs)


def test_one_recording_and_seed_give_one_table(plain):
    for name in NAMES:
        assert plain.audit(name, seed=0) == plain.part(name)


def test_what_only_the_other_side_knows_is_a_question_mark(plain):
    rows = plain.rows("bob")
    for attack in ("posterior", "completion"):
        (row,) = [row for key, row in rows.items() if key[1] == attack]
        assert (row.all_epochs, row.without_run, row.verdict) == ("?", "?", "not measured")


def test_a_label_party_that_lies_is_simulated(plain):
    rows = [row for row in plain.part("alice").rows if row.attack == "active head"]
    assert [row.secret for row in rows] == list(SECRETS)
    for row in rows:
        assert row.all_epochs > 0.99
        assert (row.verdict, row.without_run) == ("open", "?")


def with_data(configuration, **changes):
    return configuration.model_copy(update={"data": configuration.data.model_copy(update=changes)})


def test_an_audit_by_other_labels_or_data_is_refused(plain, tmp_path):
    bob, alice = plain.configuration("bob"), plain.configuration("alice")
    other = bob.data.labels["liked"].model_copy(update={"rule": "rating < 3"})
    relabelled = with_data(bob, labels={"liked": other})
    with pytest.raises(DataError, match=r"configuration data.labels differs from that of the run"):
        audit_part(relabelled, None, seed=0, now=NOW)
    table = plain.organisations.read_table("alice", "train")
    table.assign(income="1.0").to_csv(tmp_path / "other.csv", index=False)
    replaced = with_data(alice, datasets={"train": str(tmp_path / "other.csv")})
    with pytest.raises(DataError, match=r"data file differs from that of the run"):
        audit_part(replaced, None, seed=0, now=NOW)


def test_a_run_without_its_recording_is_refused(plain):
    folder = plain.folder("bob", SENT_FOLDER)
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    try:
        with pytest.raises(StorageError, match=r"was not recorded"):
            plain.audit("bob", seed=0)
        shutil.copytree(elsewhere, folder)
        conditions = (folder / "run.json").read_bytes()
        (folder / "run.json").write_bytes(conditions.replace(b'"run_id": "', b'"run_id": "0'))
        with pytest.raises(StorageError, match=r"is of another run"):
            plain.audit("bob", seed=0)
        (folder / "run.json").write_bytes(conditions[:-10])
        with pytest.raises(StorageError, match=r"is damaged"):
            plain.audit("bob", seed=0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        elsewhere.rename(folder)


@pytest.mark.parametrize("kept", [None, 1, 30])
@pytest.mark.parametrize("name", NAMES)
def test_a_recording_that_lacks_batches_is_refused(plain, name, kept):
    """As after a resume with `record` switched on late, a machine that stopped, or a file that was removed."""
    (sent,) = received_files(plain.folder(name, SENT_FOLDER), {"alice": "hidden", "bob": "gradient"}[name])
    content = sent.path.read_bytes()
    try:
        if kept is None:
            sent.path.unlink()
        else:
            records = b"".join(batch.to_bytes() for batch in islice(sent.batches(), kept))
            sent.path.write_bytes(sent.header.to_line() + records)
        with pytest.raises(StorageError, match=r"recording of what \w+ got is not complete"):
            plain.audit(name, seed=0)
    finally:
        sent.path.write_bytes(content)
        sent.path.chmod(0o600)


def test_an_epsilon_for_rows_bounds_no_secret_of_entities_with_several_rows(plain):
    """Each row has a draw of its own, so the rows of a user tell more than epsilon allows: no ceiling, never within."""
    alice = plain.configuration("alice")
    cities = {"values": ["Ulm", "Bonn"], "other": "-"}
    private = {"epsilon": EPSILON, "public": ["income"], "columns": {"city": cities}}
    found = {}
    for drawn, judged in ((None, None), (None, "income"), ("income", "income"), ("income", None)):
        privacy = PrivacySection.model_validate({"columns": {**private, "entity": drawn}})
        audit = alice.audit.model_copy(update={"entity": judged})
        run = recorded_run(alice.model_copy(update={"privacy": privacy, "audit": audit}), None)
        found[drawn, judged] = column_secrets(run, read_ids(run.sent, "train")).private
    bounded = frozenset({"ulm"})
    assert found == {
        (None, None): bounded,
        ("income", "income"): bounded,
        ("income", None): bounded,
        (None, "income"): frozenset(),
    }


def test_a_feature_party_that_names_no_secret_is_audited_too(plain):
    alice = plain.configuration("alice")
    silent = alice.model_copy(update={"audit": alice.audit.model_copy(update={"secrets": {}})})
    part = audit_part(silent, None, seed=0, now=NOW)
    assert {row.secret for row in part.rows} == {"membership"}


@pytest.fixture(scope="module")
def files(plain, private, tmp_path_factory):
    """The signed parts of all parties, by federation and party."""
    written, folder = {}, tmp_path_factory.mktemp("parts")
    for title, audited in (("plain", plain), ("private", private)):
        for name in NAMES:
            tls = audited.configuration(name).tls
            certificate, key = (audited.configuration(name).path(one) for one in (tls.certificate, tls.key))
            identity = own_identity(name, certificate, key, usage=Usage.PARTY, now=NOW)
            written[title, name] = write_signed(folder, audited.part(name), identity, f"{title}-{name}.json")
    return written


def test_the_command_prints_and_writes_what_it_computed(plain, tmp_path):
    part, page = tmp_path / "part.json", tmp_path / "page.html"
    arguments = ("--config", plain.organisations.party_path("bob"), "--run", plain.run_id[:6])
    done = run_party("audit", *arguments, "--part", part, "--html", page, "--json")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    (read,) = read_parts(part)
    document = json.loads(done.stdout)
    assert document.items() >= read.part.model_dump(mode="json").items()
    assert (document["command"], document["part_file"], document["page"]) == ("party audit", str(part), str(page))
    assert undocumented(document, documented_keys()["party audit"]) == []
    assert (read.part.rows, read.part.conditions) == (plain.part("bob").rows, plain.part("bob").conditions)
    for content in (done.stdout, page.read_text()):
        assert plain.run_id in content
        assert "half of the labels" in content


def run_coordinator_alone(*arguments):
    """Runs `coordinator` where the libraries of a party are not installed."""
    program = (
        "import sys\n"
        "for name in ('numpy', 'pandas', 'tensorflow', 'keras', 'pyarrow', 'gmpy2'):\n"
        "    sys.modules[name] = None\n"
        "from coordinator.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_coordinator_alone_puts_the_parts_together(files, plain, private, tmp_path):
    page, together = tmp_path / "audit.html", tmp_path / "audit.json"
    done = run_coordinator_alone("audit", *files.values(), "--html", page)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    document = run_coordinator_alone("audit", *files.values(), "--json")
    together.write_text(document.stdout)
    for expected in (plain.run_id, private.run_id, "private labels, epsilon 1", "With and without protections"):
        assert expected in done.stdout
        assert expected.replace("protections", "each protection") in page.read_text()
    parts = [one.part for one in read_parts(together)]
    assert {(one.conditions.run.run_id, one.party) for one in parts} == {
        (audited.run_id, name) for audited in (plain, private) for name in NAMES
    }
    again = run_coordinator_alone("audit", together)
    assert again.stdout == done.stdout


def test_authorities_must_vouch_for_the_parts_if_a_configuration_is_given(files, plain):
    run_path = plain.organisations.run_path
    done = run_coordinator_alone("audit", files["plain", "bob"], "--config", run_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    foreign = run_coordinator_alone("audit", files["private", "bob"], "--config", run_path)
    expect_error(foreign, 4, "certificate of bob")


def test_a_changed_part_and_one_given_twice_are_refused(files, tmp_path):
    content = json.loads(files["plain", "bob"].read_text())
    content["part"]["rows"][0]["all_epochs"] = 0.5
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    expect_error(run_coordinator_alone("audit", path), 3, "signature does not fit")
    twice = run_coordinator_alone("audit", files["plain", "bob"], files["plain", "bob"])
    expect_error(twice, 3, "two parts are of party bob")


def test_hiddens_of_an_audit_are_those_of_training_alone(plain):
    """An evaluation with the same rows is in a file of its own, which the attacks do not read."""
    (sent,) = received_files(plain.folder("alice", SENT_FOLDER), "hidden")
    rows = np.concatenate([batch.rows for batch in sent.batches()])
    assert np.array_equal(np.bincount(rows), np.full(rows.max() + 1, 3))


def test_a_part_of_a_masked_sum_is_called_an_upper_bound(make_organisations):
    """The label party's recording holds the sum alone; what each feature party sent adds up to it."""
    names = ("alice", "bob", "charlie")
    summed = [{"column": "city", "kind": "vocabulary"}]
    audit = {"audit": {"record": True, "secrets": {"ulm": "city == Ulm"}}}
    organisations = make_organisations(
        names=names,
        features={"alice": summed, "bob": [], "charlie": [{"column": "shop", "kind": "vocabulary"}]},
        training={"maximum_steps": 4, "secure_aggregation": True},
        overrides={"alice": audit, "bob": {"audit": {"record": True}}, "charlie": {"audit": {"record": True}}},
    ).start_servers()
    organisations.write_run()
    with connect(organisations.run_path) as parties:
        parties.align()
        run_id = parties.fit().run_id
    folders = {name: organisations.state_path(name) / "runs" / run_id for name in names}
    (received,) = received_files(folders["bob"] / FOLDER, "hidden")
    sent = [received_files(folders[name] / SENT_FOLDER, "hidden")[0] for name in ("alice", "charlie")]
    batches = list(zip(received.batches(), *(one.batches() for one in sent), strict=True))
    assert len(batches) == 4
    for whole, first, second in batches:
        np.testing.assert_array_equal(whole.values, first.values.astype(np.float64) + second.values)
    part = audit_part(load_party_configuration(organisations.party_path("alice")), run_id, seed=0, now=NOW)
    assert [one.name for one in part.conditions.protections] == ["masked sums"]
    probes = [row for row in part.rows if row.attack == "probe"]
    assert probes
    assert all("upper bound: bob got the sum with 1 other" in row.note for row in probes)
