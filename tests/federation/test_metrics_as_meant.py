"""Metrics and early stopping as people mean them: directions, accuracy, and figures of groups of rows."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from party.check import print_check
from party.errors import ConfigurationError, DataError
from tests.support import slow_metrics
from tests.support.organisations import Organisations, make_frames
from tests.support.resuming import restart

DATASETS = ["later", "train"]
USERS = 15
K = 3
METRICS = [
    *("accuracy", "binary_accuracy", "auc", "pr_auc", "f1", "log_loss", "calibration", "TruePositives"),
    {"name": "grouped_auc", "by": "user"},
    {"name": "ndcg", "by": "user", "k": K},
    {"name": "hit_rate", "by": "user", "k": K},
]
BY_USER = ("grouped_auc", f"ndcg_{K}", f"hit_rate_{K}")
TRAINING = {
    "epochs": 8,
    "batch_size": 96,
    "validation_dataset": "later",
    "optimizer": {"learning_rate": 0.02},
    "early_stopping": {"metric": "val_auc", "patience": 2},
}


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    frames = make_frames(("alice", "bob"), datasets=DATASETS)
    generator = np.random.default_rng(7)
    for frame in frames["bob"].values():
        frame["user"] = generator.choice(["", *(f"u{number}" for number in range(USERS))], len(frame))
    labels = {"liked": {"rule": "rating > 3", "metrics": METRICS}}
    folder, bob = tmp_path_factory.mktemp("meant"), {"data": {"labels": labels}}
    with Organisations(folder, frames=frames, training=TRAINING, overrides={"bob": bob}) as made:
        made.start_servers()
        with connect(write_run(made)) as parties:
            parties.align()
            made.stopped = parties.fit()
            made.evaluated = parties.evaluate("later")
            made.predicted = parties.predict("later")
        yield made


def write_run(organisations, **training):
    return organisations.write_run(training, alignment={"datasets": DATASETS}, evaluate_dataset="later")


def test_a_run_stops_by_an_area_and_ends_with_the_weights_of_its_largest(organisations):
    areas = organisations.stopped.history["val_auc"]
    best = organisations.stopped.best_epoch
    assert best == int(np.argmax(areas)) > 0
    assert len(areas) == min(TRAINING["epochs"], best + 1 + TRAINING["early_stopping"]["patience"] + 1)
    assert organisations.evaluated["auc"] == pytest.approx(areas[best], rel=1e-6)


def test_accuracy_of_a_binary_label_is_its_binary_accuracy(organisations):
    history = organisations.stopped.history
    assert history["accuracy"] == history["binary_accuracy"]
    assert min(history["val_accuracy"]) > 0.5


def test_figures_of_users_are_those_of_predictions_and_users(organisations):
    path = organisations.state_path("bob") / "runs" / organisations.stopped.run_id / organisations.predicted.files[0]
    rows = pd.read_csv(path, dtype={"ID": str}).merge(organisations.read_table("bob", "later"), on="ID")
    scores, labels = rows["probability"].to_numpy(), (rows["rating"].astype(float) > 3).to_numpy(float)
    evaluated = organisations.evaluated
    assert evaluated["grouped_auc"] == pytest.approx(slow_metrics.grouped_area(scores, labels, rows["user"]), rel=1e-6)
    assert evaluated["pr_auc"] == pytest.approx(slow_metrics.average_precision(list(scores), list(labels)), rel=1e-6)
    assert evaluated["calibration"] == pytest.approx(scores.sum() / labels.sum(), rel=1e-6)
    assert evaluated["log_loss"] == pytest.approx(evaluated["loss"], rel=1e-5)
    assert 0 < evaluated[f"ndcg_{K}"] <= evaluated[f"hit_rate_{K}"] <= 1


@pytest.mark.parametrize(
    ("stopping", "text"),
    [
        ({"metric": "val_auc", "mode": "min"}, r"early_stopping\.mode: mode min contradicts val_auc, of which larger"),
        ({"metric": "val_loss", "mode": "max"}, "mode max contradicts val_loss, of which smaller.*expected min"),
        ({"metric": "val_log_loss", "mode": "max"}, "mode max contradicts val_log_loss"),
        ({"metric": "val_true_positives"}, "val_true_positives are better cannot be inferred.*expected min or max"),
        ({"metric": "val_calibration", "mode": "max"}, "val_calibration is best at 1"),
        ({"metric": "val_ndcg"}, f"no metric is named val_ndcg; expected one of .*val_ndcg_{K}"),
    ],
)
def test_a_mode_that_is_wrong_or_missing_is_refused_before_the_first_step(organisations, stopping, text):
    with (
        connect(write_run(organisations, early_stopping=stopping)) as parties,
        pytest.raises(ConfigurationError, match=text),
    ):
        parties.fit()


def test_figures_of_fewer_users_than_the_owner_requires_rows_stay_at_home(organisations):
    policy = {"minimum_metric_rows": USERS + 1, "exact_metrics": True}
    organisations.write_party("bob", policy=policy)
    restart(organisations, "bob")
    try:
        with connect(write_run(organisations)) as parties:
            evaluated = parties.evaluate("later", run_id=organisations.stopped.run_id)
    finally:
        organisations.write_party("bob")
        restart(organisations, "bob")
    assert {name for name, value in evaluated.items() if value is None or math.isnan(value)} == set(BY_USER)
    folder = organisations.state_path("bob") / "runs" / organisations.stopped.run_id
    own = json.loads((folder / "evaluations.jsonl").read_text().splitlines()[-1])
    for name in BY_USER:
        assert own["metrics"][name] == pytest.approx(organisations.evaluated[name])
        assert own["told"][name] is None


def test_the_owner_is_told_of_the_groups_and_of_a_column_that_is_missing(organisations, capsys):
    path = organisations.party_path("bob")
    print_check(path)
    assert f"metrics by user: {USERS} groups, of" in capsys.readouterr().out
    other = path.with_name("other.yaml")
    other.write_text(path.read_text().replace("by: user", "by: ID"))
    other.chmod(0o600)
    print_check(other)
    assert "metrics by ID: " in capsys.readouterr().out
    other.write_text(path.read_text().replace("by: user", "by: usr"))
    with pytest.raises(DataError, match=r"usr \(did you mean user\?\).*check data\.labels"):
        print_check(other)
