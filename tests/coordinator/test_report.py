"""The page about a run in every state of its folder; it says what is known, and nothing of it breaks the page."""

import json
import math

import pytest
from click.testing import CliRunner

from coordinator.cli import main
from coordinator.history import History, read_history
from coordinator.journal import FAILED, STOPPED, TRAINED, Commit, Journal
from coordinator.report.page import run_page
from coordinator.report.released_figures import is_rounded, last_digit
from coordinator.report.stored_run import read_stored_run
from coordinator.statements import STATEMENTS_FILE, read_statements, save_statements
from coordinator.stored_evaluations import EVALUATIONS_FILE, StoredEvaluation, add_evaluation
from party.configuration.run import run_configuration_from_bytes
from party.errors import ConfigurationError, StorageError
from party.pb.handshake_pb2 import DatasetRows, Hello
from party.pb.tensor_pb2 import TensorSpec
from party.protocol.checkpoints import Mark
from party.security.clock import utc_now
from tests.support.pages import HOSTILE, ReadPage, broken_laws

RUN_ID = bytes(range(16))
SHORT = RUN_ID.hex()[:8]
CONFIGURATION = """
coordinator: driver
insecure: true
label_party: bob
parties:
  - {name: alice, address: "127.0.0.1:1", ca: ca.pem}
  - {name: bob, address: "127.0.0.1:2", ca: ca.pem}
  - {name: charlie, address: "127.0.0.1:3", ca: ca.pem}
training: {epochs: 4, batch_size: 8, validation_fraction: 0.25, codecs: {hidden: {kind: int8}}}
"""
SUBSETS = [("alice", "charlie"), ("charlie",), ("alice",), ()]


class Folder:
    """A coordinator's output folder with one run."""

    def __init__(self, path, text=CONFIGURATION):
        path.chmod(0o700)
        self.config = path / "run.yaml"
        self.config.write_text(text)
        self.journal = Journal(path / "runs")
        from coordinator.configuration import load_coordinator_configuration  # noqa: PLC0415

        self.run = load_coordinator_configuration(self.config).run
        self.journal.begin(RUN_ID, self.run.to_bytes(), utc_now())
        self.path = self.journal.run_folder(RUN_ID.hex())

    def agreed(self, step=0):
        self.journal.agreed(RUN_ID, 80)
        hellos = {
            name: Hello(
                code_version="1.2.3",
                datasets=[DatasetRows(dataset="train", rows=1234)],
                outputs=[TensorSpec(name="deep", row_shape=(8,))] if name != "bob" else [],
            )
            for name in self.run.parties
        }
        save_statements(self.path, hellos)
        if step:
            self.journal.commit(RUN_ID, Commit(Mark(step, bytes(32)), utc_now().isoformat(), 12.5, 9_000_000))
        return self

    def ended(self, state):
        self.journal.end(RUN_ID, state)
        self.journal.close()
        return self

    def trained(self, history, **fields):
        epochs = max((len(values) for values in history.values()), default=0)
        History(
            RUN_ID.hex(),
            history=history,
            epoch=list(range(epochs)),
            params={"epochs": 4, "steps": 80},
            seconds=61.0,
            samples=1000,
            message_bytes=5_000_000,
            timings={"alice": {"base": 1.5, "seal": 0.5}, "bob": {"fuse": 2.0}},
            **fields,
        ).save(self.path)
        return self.ended(TRAINED)

    def evaluated(self, without=(), shuffled="", withheld=(), **metrics):
        add_evaluation(
            self.path,
            StoredEvaluation(
                at="2026-01-02T03:04:05+00:00",
                dataset="test",
                without=without,
                shuffled=shuffled,
                rows=500,
                metrics=metrics,
                withheld=withheld,
                message_bytes=1000,
            ),
        )

    def page(self):
        content = run_page(read_stored_run(self.config, SHORT), utc_now())
        assert broken_laws(content) == []
        return " ".join(ReadPage(content).text.split())


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


GOOD = {"loss": [0.6, 0.55], "auc": [0.74, 0.785], "val_loss": [0.57, 0.56], "val_auc": [0.75, 0.765]}


def test_a_finished_run_says_what_was_trained_how_it_went_and_what_it_cost(folder):
    for without, auc in zip(SUBSETS, (0.6, 0.7, 0.71, 0.78), strict=True):
        folder.evaluated(without, auc=auc, calibration=1.02)
    text = folder.agreed(80).trained(GOOD, best_epoch=1).page()
    for expected in (
        "alice, bob and charlie trained one model together on dataset train. The labels are at bob.",
        "State finished",
        "Rows in common 1,234",
        "Epochs 2 of 4",
        "auc on held-out rows 0.765",
        "1 min 1 s",
        "5.0 MB",
        "deep (8)",
        "25% of its rows",
        "the weights of epoch 2 were the best",
        "auc by epoch",
        "ROC curve: not released",
        "calibration.",
        "auc with each subset",
        "alice, bob 0.7",
        "alice: base model, forward and backward",
        "8 figures of training",
        "8 figures of 4 evaluations",
        "Sealed messages on always",
        "Rounded metrics on",
        "not known here",
        "What split learning does not protect",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda folder: folder.ended(FAILED), "State failed before it began"),
        (lambda folder: folder.ended(STOPPED), "State not begun"),
        (lambda folder: folder.agreed(20).ended(STOPPED), "State stopped after step 20 of 80"),
        (lambda folder: folder.agreed(20).ended(FAILED), "State failed after step 20 of 80"),
        (lambda folder: folder.agreed(20), "State under way, step 20 of 80"),
        (lambda folder: (folder.agreed(20), folder.journal.close()), "State interrupted after step 20 of 80"),
        (lambda folder: folder.agreed().trained({}), "ended without a whole epoch"),
        (lambda folder: folder.agreed().trained({"loss": [math.nan] * 2}), "released no figures of this run"),
    ],
    ids=["refused", "new", "stopped", "failed", "driven", "killed", "no epoch", "nothing released"],
)
def test_a_run_in_any_state_has_a_page(folder, make, expected):
    make(folder)
    assert expected in folder.page()
    folder.journal.close()


def test_a_resumed_run_shows_the_time_and_bytes_of_its_checkpoints(folder):
    text = folder.agreed(20).ended(STOPPED).page()
    assert "12 s" in text
    assert "9.0 MB" in text
    assert "No figures are stored" in text


def test_a_folder_of_an_earlier_version_has_a_page(folder):
    folder.trained(GOOD)
    path = folder.path / "history.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: content[key] for key in content if key not in ("best_epoch", "continues")}))
    text = folder.page()
    assert "not stored" in text
    assert "Mutual TLS not known here" in text
    assert read_statements(folder.path) == {}


def test_what_is_stored_reads_back(folder):
    folder.trained({"loss": [0.5, math.nan]}, best_epoch=0, continues="ab")
    history = read_history(folder.path)
    assert history.history["loss"][0] == 0.5
    assert math.isnan(history.history["loss"][1])
    assert (history.best_epoch, history.continues, history.samples, history.params["steps"]) == (0, "ab", 1000, 80)
    assert run_configuration_from_bytes(folder.run.to_bytes()) == read_stored_run(folder.config, SHORT).run


@pytest.mark.parametrize("name", ["history.json", STATEMENTS_FILE, EVALUATIONS_FILE])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}\n", '{"history": 1}', "null"])
def test_a_damaged_file_is_named(folder, name, content):
    folder.agreed().ended(STOPPED)
    path = folder.path / name
    path.write_text(content)
    path.chmod(0o600)
    if (name, content) == (EVALUATIONS_FILE, ""):
        assert "No evaluation" in folder.page()
        return
    with pytest.raises(StorageError, match="damaged") as caught:
        folder.page()
    assert name in caught.value.where


@pytest.mark.parametrize("run_id", ["ffff", "zz"])
def test_an_unknown_run_is_an_error_that_says_what_to_do(folder, run_id):
    with pytest.raises(ConfigurationError, match=r"no run.*see `coordinator status`"):
        read_stored_run(folder.config, run_id)
    folder.journal.close()


def test_two_runs_that_begin_alike_are_not_mixed_up(folder):
    folder.journal.begin(bytes(15) + b"x", folder.run.to_bytes(), utc_now())
    with pytest.raises(ConfigurationError, match="more than one run begins like this"):
        read_stored_run(folder.config, "00")
    folder.ended(STOPPED)
    assert read_stored_run(folder.config, "0001").entry.run_id == RUN_ID.hex()


def test_the_command_writes_the_page_where_it_is_told_to(folder, tmp_path):
    folder.agreed(80).trained(GOOD)
    for arguments, page in (([], folder.path / "report.html"), (["--output", str(tmp_path / "a")], tmp_path / "a")):
        done = CliRunner().invoke(main, ["report", SHORT, "--config", str(folder.config), *arguments])
        assert (done.exit_code, done.output) == (0, f"wrote {page}\n")
        assert broken_laws(page.read_text()) == []


def test_no_name_that_a_party_chose_becomes_markup(folder):
    """A label party names its metrics, and a party its hiddens, datasets and version."""
    history = {f"{HOSTILE}_loss": [0.5], f"{HOSTILE}2_loss": [0.5], "loss": [1.0], f"val_{HOSTILE}_auc": [0.5]}
    folder.journal.agreed(RUN_ID, 80)
    hello = Hello(
        code_version=HOSTILE,
        datasets=[DatasetRows(dataset=HOSTILE, rows=1)],
        outputs=[TensorSpec(name=HOSTILE, row_shape=(1,))],
    )
    save_statements(folder.path, {"alice": hello, "bob": hello, HOSTILE: hello})
    for without in SUBSETS:
        folder.evaluated(without, **{f"{HOSTILE}_auc": 0.6, f"{HOSTILE}calibration": 0.5})
    folder.trained(history, withheld={HOSTILE: HOSTILE})
    path = folder.path / "history.json"
    path.write_text(path.read_text().replace('"base"', json.dumps(HOSTILE)))
    content = run_page(read_stored_run(folder.config, SHORT), utc_now())
    assert broken_laws(content.replace("src=x", "")) == []
    assert ReadPage(content).text.count("<script>") > 10


def test_a_page_stays_small_whatever_a_label_party_names(folder):
    history = {f"{'m' * 500}{number}": [0.5] * 500 for number in range(150)}
    for number in range(3):
        folder.evaluated(**{f"{'x' * 500}{number}{place}": 0.5 for place in range(1000)})
    assert folder.agreed(80).trained(history).page()


@pytest.mark.parametrize("values", [(1e308, -1e308), (0.0, 1e308), (1e38, -1e38), (5e-324, 5e-324), (math.inf, 0.5)])
def test_no_figure_that_a_label_party_sends_breaks_the_page(folder, values):
    named = {name: list(values) for name in ("loss", "auc", "val_auc", "a_loss", "b_loss")}
    assert "How training went" in folder.agreed().trained(named).page()


def test_what_parties_say_of_their_data_is_among_what_was_released(folder):
    folder.agreed().evaluated(val_auc=0.7)
    folder.evaluated(val_auc=0.71)
    page = folder.trained({"loss": [0.5]}).page()
    assert "how many features have faults" in page
    assert "at the end of each of 2 evaluations and of the alignment before" in page


def test_many_epochs_make_no_large_page(folder):
    assert "20,000" in folder.agreed(80).trained({"loss": [0.5] * 20_000, "auc": [0.6] * 20_000}).page()


def test_withheld_figures_are_named_with_the_reason(folder):
    folder.evaluated(withheld=("auc",), loss=0.5)
    folder.agreed(80).trained({"loss": [0.6]}, withheld={"val_auc": "too coarse after 900 releases over 150 rows"})
    text = folder.page()
    assert "val_auc: withheld, too coarse after 900 releases over 150 rows." in text
    assert "auc withheld" in text


def test_a_run_all_of_whose_figures_are_withheld_says_so(folder):
    assert "loss: withheld, why." in folder.agreed(80).trained({}, withheld={"loss": "why"}).page()


def test_figures_over_sampled_negatives_say_so(folder):
    folder.evaluated(auc=0.9)
    text = folder.agreed(80).trained(GOOD, negatives_per_positive={"train": 4, "validation": 9}).page()
    assert "training rows: 4; held-out rows: 9 for each" in text
    assert "sampled negatives for each positive row" not in text, "the evaluation had none"


def test_masked_sums_say_that_nobody_brings_anything_by_itself(tmp_path):
    text = CONFIGURATION.replace("codecs: {hidden: {kind: int8}}", "secure_aggregation: true")
    made = Folder(tmp_path, text).agreed(80).trained(GOOD).page()
    assert "With masked sums nobody can tell what a single party brings" in made
    assert "Masked sums on of 2 feature parties" in made
    assert "hiddens, in a masked sum" in made


def test_contributions_need_every_subset_of_one_dataset(folder):
    for without in SUBSETS[1:]:
        folder.evaluated(without, auc=0.7)
    folder.evaluated(SUBSETS[0], "column 1 of alice", auc=0.7)
    assert "Not measured. coordinator contributions evaluates" in folder.agreed(80).trained(GOOD).page()


def test_digits_of_released_figures_tell_whether_they_were_rounded():
    assert is_rounded([0.785, 12.3, 0.0012, 1.0, 150000.0])
    assert not is_rounded([0.7853])
    assert [last_digit(values) for values in ([0.78, 0.785], [1.0, 2.0], [150.0])] == ["0.001", "1", "1"]
