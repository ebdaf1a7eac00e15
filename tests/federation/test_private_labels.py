"""Private labels over restarts, datasets and changed files: one answer per row, and a charge for every further one."""

import json
import math
import re
import shutil
from contextlib import contextmanager

import pytest

from coordinator.connecting import connect_federation
from party.check import print_check
from party.errors import PolicyError
from party.ledger.file import LEDGER_FILE
from tests.support.organisations import Organisations, make_frames

TRAINING = {"epochs": 1, "validation_fraction": 0.25, "batch_size": 31}
LABELS = {"liked": {"rule": "rating > 3", "privacy": {"epsilon": 1.0}}}
BUDGET = 3.5
POLICY = {"minimum_metric_rows": 1, "maximum_evaluations": 100, "budgets": {"labels": {"epsilon": BUDGET}}}


class Private:
    """A federation with a trained run, whose label party may be stopped and started."""

    def __init__(self, organisations):
        self.organisations = organisations
        self.path = organisations.write_run()
        with connect_federation(self.path) as parties:
            parties.align()
            self.history = parties.fit()

    def evaluate(self, dataset="test"):
        with connect_federation(self.path) as parties:
            parties.align()  # only if a file has changed
            told = parties.evaluate(dataset, run_id=self.history.run_id)
        return {name: None if math.isnan(value) else value for name, value in told.items()}  # NaN equals nothing

    @contextmanager
    def stopped(self):
        """The label party's process is down meanwhile."""
        self.organisations.stop_server("bob")
        yield
        self.organisations.start_server("bob")
        self.path = self.organisations.write_run()

    def charges(self):
        """The charges of every agreed session, in order."""
        text = (self.organisations.state_path("bob") / LEDGER_FILE).read_text()
        entries = [json.loads(line) for line in text.splitlines()]
        return [(one["purpose"], one["charges"]) for one in entries if one["event"] == "agreed"]

    @contextmanager
    def edited(self, dataset, old, new):
        """The label of the first row with one value is another one meanwhile."""
        path = self.organisations.table_path("bob", dataset)
        content = path.read_text()
        # A row that the other party has too.
        path.write_text(re.sub(rf"^({dataset}-\d+,.*),{old}$", rf"\1,{new}", content, count=1, flags=re.MULTILINE))
        assert path.read_text() != content
        yield
        path.write_text(content)


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    frames = make_frames(("alice", "bob"), rows=400, datasets=("train", "test"))
    for tables in frames.values():  # the rows that only one party has: one id in two files is one row
        tables["test"]["ID"] = tables["test"]["ID"].str.replace("-only-", "-only-test-")
    overrides = {"bob": {"labels": LABELS, "policy": POLICY, "pinned_secret": None}}
    folder = tmp_path_factory.mktemp("private")
    with Organisations(folder, frames=frames, training=TRAINING, overrides=overrides) as made:
        made.start_servers()
        yield Private(made)


def generations(private):
    return [one["generation"] for _, charges in private.charges() for one in charges]


def test_training_and_evaluation_are_charged_once_and_prediction_is_not(private):
    told = private.evaluate()
    with connect_federation(private.path) as parties:
        parties.predict("test", run_id=private.history.run_id)
    charge = {"secret": "labels", "generation": 1, "epsilon": 1.0}
    assert [one for one in private.charges() if one[0] != "align"] == [
        ("train", [charge | {"audience": ["alice", "coordinator"]}]),
        ("evaluate", [charge | {"audience": ["coordinator"]}]),
        ("predict", []),
    ]
    assert list(told) == [
        *("loss", "auc", "auc_error", "precision", "precision_error", "recall", "recall_error"),
    ]
    assert set(private.history.history) == {*told, *(f"val_{name}" for name in told)}


def test_draws_survive_a_restart(private):
    before = private.evaluate()
    with private.stopped():
        pass
    assert private.evaluate() == before
    assert set(generations(private)) == {1}


def test_another_label_of_a_known_id_draws_all_anew_until_it_is_taken_back(private):
    before = private.evaluate()
    with private.edited("test", "5", "2"):
        assert private.evaluate() != before
        assert generations(private)[-1] == 2
        private.evaluate("train")
        assert generations(private)[-1] == 1
    assert private.evaluate() == before
    assert generations(private)[-1] == 1


def test_a_lost_folder_is_another_generation(private):
    latest = max(generations(private))
    folder, aside = private.organisations.state_path("bob") / "privacy", private.organisations.folder / "aside"
    before = private.evaluate()
    with private.stopped():
        shutil.move(folder, aside)
    assert private.evaluate() != before
    assert generations(private)[-1] == latest + 1
    with private.stopped():
        shutil.rmtree(folder)
        shutil.move(aside, folder)
    assert private.evaluate() == before


def test_a_generation_beyond_the_budget_is_refused_before_anything_is_released(private):
    charged = private.charges()
    assert len(set(generations(private))) == 3
    with private.edited("test", "2", "5"), pytest.raises(PolicyError, match=r"budgets\.labels") as caught:
        private.evaluate()
    assert f"at most {BUDGET}" in str(caught.value)
    assert [one for one in private.charges() if one[1]] == [one for one in charged if one[1]]


def test_check_says_what_epsilon_means_for_a_guesser(private, capsys):
    print_check(private.organisations.party_path("bob"))
    printed = capsys.readouterr().out
    assert "label liked, private: epsilon 1, the drawn label is the true one of 2 in 73.1 % of rows" in printed
    assert "labels of a row together: epsilon 1 over all epochs and runs" in printed
    assert "guesses right with at most 73.1 %" in printed
