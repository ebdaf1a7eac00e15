"""The organisation's own page in every state of its folder."""

import json
from typing import get_args

import pytest
from click.testing import CliRunner

from party.cli import main
from party.data.statistics.feature_warnings import WarningKind
from party.data.statistics.quality import DatasetQuality
from party.errors import SessionError, StorageError
from party.ledger.charge import Charge
from party.ledger.entry import Content, Kind
from party.ledger.file import Ledger
from party.own_report.left import KINDS
from party.own_report.page import own_page
from party.page.quality_words import OTHER, WORDS
from party.pb.party_pb2 import DataWarning, MessageKind
from party.policy.quality_rules import ReleasedQuality
from party.runtime.own_figures import EVALUATIONS_FILE, HISTORY_FILE
from party.runtime.quality_file import QUALITY_FILE, keep_counted
from party.runtime.records import RunRecord, RunRecords
from party.runtime.sent_file import SENT_FILE, add_sent, read_sent
from party.security.clock import utc_now
from party.security.files import write_atomically
from tests.support.pages import HOSTILE, ReadPage, broken_laws

RUN_ID = bytes(range(16))
LABEL_PARTY = """
party: bob
listen: 127.0.0.1:0
label_party: bob
peers: [{name: alice, ca: ca.pem}]
coordinators: [{name: driver, ca: ca.pem}]
tls: {certificate: a.pem, key: b.pem}
data: {id: ID, datasets: {train: train.csv}, labels: {liked: {rule: stars > 3}}}
fuse: {kind: dnn}
state: state
"""
FEATURE_PARTY = """
party: alice
listen: 127.0.0.1:0
label_party: bob
peers: [{name: bob, ca: ca.pem}]
coordinators: [{name: driver, ca: ca.pem}]
tls: {certificate: a.pem, key: b.pem}
data: {id: ID, datasets: {train: train.csv}, features: [{column: city, kind: vocabulary}]}
model: {kind: dnn}
state: state
"""
SESSION = {"session": "ab", "coordinator": "driver", "purpose": "train", "run_id": RUN_ID.hex(), "datasets": ("train",)}


class State:
    """The state folder of a party with one run."""

    def __init__(self, path, text):
        path.chmod(0o700)
        self.config = path / "party.yaml"
        self.config.write_text(text)
        self.party = "bob" if "rule" in text else "alice"
        self.peer = {"alice": "bob", "bob": "alice"}[self.party]
        self.records = RunRecords(path / "state" / "runs", self.party)
        self.folder = self.records.folder(RUN_ID)
        self.ledger = Ledger(path / "state", utc_now)
        self.ledger.append(Content(event="started"))

    def begun(self, run_id=RUN_ID, state="started", **fields):
        record = {
            "run_id": run_id.hex(),
            "coordinator": "driver",
            "configuration_sha256": "ab" * 32,
            "parties": ("alice", "bob"),
            "secret": "5e" * 32,
            "row_key": "6f" * 32,
            "state": state,
        }
        self.records.save(RunRecord(**{**record, **fields}))
        return self

    def agreed(self, epsilon=None, **releases):
        secret = "labels" if self.party == "bob" else "columns"
        charge = Charge(secret=secret, generation=int(epsilon is not None), epsilon=epsilon, audience=(self.peer,))
        content = Content(
            event="agreed", rows=500, epochs=2, peers=(self.peer,), codecs={"hidden": "int8"}, **SESSION
        ).model_copy(update={"releases": releases, "charges": (charge,)})
        self.ledger.append(content)
        return self

    def ended(self, result="completed", **releases):
        self.ledger.append(
            Content(event="ended", rows=500, peers=(self.peer,), releases=releases, result=result, **SESSION)
        )
        return self

    def page(self, run_id=None):
        content = own_page(self.config, run_id, utc_now())
        assert broken_laws(content) == []
        return " ".join(ReadPage(content).text.split())


@pytest.fixture
def bob(tmp_path):
    return State(tmp_path, LABEL_PARTY)


@pytest.fixture
def alice(tmp_path):
    return State(tmp_path, FEATURE_PARTY)


def write(state, name, content):
    write_atomically(state.folder / name, content.encode())


HISTORY = {
    "history": {"loss": [0.61234567, None], "auc": [0.7, 0.7898765], "val_auc": [0.6, 0.7654321]},
    "epoch": [0, 1],
    "best_epoch": 1,
    "samples": 10,
}
EVALUATION = {
    "at": "2026-01-02T03:04:05+00:00",
    "dataset": "train",
    "rows": 99,
    "metrics": {"auc": 0.71234567, "n": None},
}


def test_the_label_party_sees_exact_figures_and_what_left(bob):
    bob.begun(state="trained", steps=80).agreed(gradients=5000, metrics=4).ended(gradients=4800, metrics=4)
    write(bob, HISTORY_FILE, json.dumps(HISTORY))
    write(bob, EVALUATIONS_FILE, json.dumps(EVALUATION) + "\n" + json.dumps(EVALUATION | {"without": ["alice"]}) + "\n")
    add_sent(bob.folder, {("alice", MessageKind.MESSAGE_KIND_GRADIENT): (80, 1_234_567)}, "train", utc_now())
    text = bob.page()
    for expected in (
        "State finished",
        "Role label party",
        "Rows in common 500",
        "auc on held-out rows 0.765432",
        "Sent to others 1.2 MB",
        "the weights of epoch 2 stayed",
        "0.712346",
        "train without alice, 2026-01-02 03:04:05 UTC",
        "a row each 4,800 alice",
        "metrics of whole passes 4 driver",
        "gradients train alice 80 1.2 MB",
        "labels were used as they are",
        "alice holds exact releases",
        "labels exactly",
        "Use of each limit",
    ):
        assert expected in text


def test_figures_over_sampled_negatives_say_so(bob):
    bob.begun()
    write(bob, HISTORY_FILE, json.dumps(HISTORY | {"negatives_per_positive": {"train": 4, "validation": 0}}))
    write(bob, EVALUATIONS_FILE, json.dumps(EVALUATION | {"negatives_per_positive": 7}) + "\n")
    text = bob.page()
    assert "training rows: 4 for each" in text
    assert "sampled negatives for each positive row 7" in text


def test_the_feature_party_has_no_figures_and_its_own_protections(alice):
    text = alice.begun().agreed(epsilon=8.0, hiddens=5000).page()
    assert "A feature party computes none." in text
    assert "State begun, not finished" in text
    assert "epsilon 8 in this run" in text
    assert "a row each 5,000 bob" in text, "a session that did not end counts with the most that it could release"
    assert "Masked sums off" in text


@pytest.mark.parametrize("history", [None, {"history": {}, "epoch": []}], ids=["none", "no epoch"])
def test_a_run_without_an_epoch_has_a_page(bob, history):
    bob.begun()
    if history is not None:
        write(bob, HISTORY_FILE, json.dumps(history))
    text = bob.page()
    assert "No epoch has ended" in text
    assert "Nothing left this party in this run." in text
    assert "No sizes are stored" in text
    assert "the run released nothing of them" in text


def test_a_run_is_found_by_its_beginning_and_the_latest_by_default(bob):
    bob.begun().begun(bytes(15) + b"x", state="trained")
    assert f"Run {RUN_ID.hex()[:8]} at bob" in bob.page("0001")
    assert f"Run {'00' * 4} at bob" in bob.page()
    with pytest.raises(SessionError, match="more than one run begins like this"):
        bob.page("00")
    with pytest.raises(SessionError, match=r"no run has this run_id.*see `party runs`"):
        bob.page("ff")


def test_a_party_without_runs_says_so(bob):
    with pytest.raises(SessionError, match="no run is stored; train first"):
        bob.page()


@pytest.mark.parametrize("name", [HISTORY_FILE, EVALUATIONS_FILE])
@pytest.mark.parametrize("content", ["{", "[]", "1", '{"history": 1}', '{"history": {"a": 1}, "epoch": 1}'])
def test_a_damaged_file_is_named(bob, name, content):
    bob.begun()
    write(bob, name, content)
    with pytest.raises(StorageError, match="damaged"):
        bob.page()


def test_what_a_coordinator_or_a_peer_chose_becomes_no_markup(bob):
    bob.begun(coordinator=HOSTILE, parties=(HOSTILE, "bob"))
    entry = {**SESSION, "coordinator": HOSTILE, "datasets": (HOSTILE,)}
    bob.ledger.append(Content(event="agreed", peers=(HOSTILE,), releases={"gradients": 5}, result=HOSTILE, **entry))
    write(bob, HISTORY_FILE, json.dumps({"history": {HOSTILE: [0.5]}, "epoch": [0]}))
    content = own_page(bob.config, None, utc_now())
    assert broken_laws(content.replace("src=x", "")) == []
    assert ReadPage(content).text.count("<script>") > 5


def test_sizes_are_added_up_and_a_line_that_was_cut_off_is_skipped(bob):
    bob.begun()
    for _ in range(2):
        add_sent(bob.folder, {("alice", MessageKind.MESSAGE_KIND_GRADIENT): (3, 1000)}, "train", utc_now())
    with (bob.folder / SENT_FILE).open("a") as file:
        file.write('{"at": "2026')
    assert len(read_sent(bob.folder)) == 2
    assert "gradients train alice 6 2.0 kB" in bob.page()


def test_the_quality_of_the_data_is_exact_and_says_what_a_coordinator_learned(alice):
    alice.begun()
    quality = DatasetQuality(
        dataset="train",
        rows=1200,
        compared=None,
        compared_rows=0,
        warnings={WarningKind.CONSTANT: 1},
        cells=1200,
        missing=7,
        unknown=60,
    )
    state = alice.config.parent / "state"
    told = ReleasedQuality("train", quality.warnings, missing_percent=1, unknown_percent=5)
    for released, words in ((None, "nothing, to driver"), (told, "the same, and both shares in whole percent")):
        keep_counted(state, [(quality, released)], "driver", utc_now())
        text = alice.page()
        assert "train 1,200 7 of 1,200 (0.58%) 60 of 1,200 (5.00%) 1 feature is constant" in text
        assert words in text


def test_quality_that_nobody_counted_is_where_party_check_shows_it(alice):
    assert "party check shows every feature" in alice.begun().page()
    (alice.config.parent / "state" / QUALITY_FILE).write_text("{}")
    (alice.config.parent / "state" / QUALITY_FILE).chmod(0o600)
    with pytest.raises(StorageError, match="quality of the data is damaged"):
        alice.page()


def test_quality_that_cannot_be_stored_ends_no_session(alice, caplog):
    (alice.config.parent / "state" / QUALITY_FILE).mkdir()
    quality = DatasetQuality(
        dataset="train", rows=1, compared=None, compared_rows=0, warnings={}, cells=1, missing=0, unknown=0
    )
    keep_counted(alice.config.parent / "state", [(quality, None)], "driver", utc_now())
    assert "the quality of the data is not stored" in caplog.text


def test_every_warning_has_words_for_everybody():
    assert set(WORDS) - {OTHER} == {kind.value for kind in WarningKind}
    sent = {name.lower().removeprefix("data_warning_") for name, _ in DataWarning.items()}
    assert sent - {"unspecified"} <= set(WORDS)


def test_every_kind_of_release_has_words():
    assert set(KINDS) == set(get_args(Kind))


def test_the_size_of_an_alignment_goes_nowhere(bob):
    add_sent(bob.folder, {("alice", MessageKind.MESSAGE_KIND_PSI_SETUP): (1, 1)}, "align", utc_now())
    assert not bob.folder.exists()


def test_the_command_writes_the_page(bob, tmp_path):
    page = tmp_path / "own.html"
    bob.begun()
    arguments = ["report", "--config", str(bob.config), "--run", "0001", "--output", str(page)]
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.output) == (0, f"wrote {page}\n")
    assert broken_laws(page.read_text()) == []
    done = CliRunner().invoke(main, [*arguments[:4], "ee", *arguments[5:]])
    assert done.exit_code == SessionError.exit_code
