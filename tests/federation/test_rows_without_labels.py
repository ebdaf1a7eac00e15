"""Rows whose label is not known yet, datasets of one class, and weights that only training needs."""

import io
import json
import math

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from party.check import print_check
from party.errors import DataError
from party.metrics.area_under_curve import area_under_curve
from tests.support.organisations import Organisations, make_frames

DATASETS = ("test", "today", "train")
TRAINING = {"epochs": 2, "validation_fraction": 0.167}
EVERY = 3  # every third row has no label


def bob_frames(frames):
    """Of bob's rows, some have no label yet; those of today are all of one class; only train has weights."""
    train, test, today = (frames[name].copy() for name in ("train", "test", "today"))
    for frame in (train, test):
        frame["rating"] = np.where(np.arange(len(frame)) % EVERY == 0, "", frame["rating"])
    train["weight"] = np.where(np.arange(len(train)) % 2 == 0, "1", "2")
    today["rating"] = "2"
    today["weight"] = "1"
    return {"train": train, "test": test, "today": today}


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    frames = make_frames(("alice", "bob"), datasets=DATASETS)
    frames["bob"] = bob_frames(frames["bob"])
    training_datasets = {"policy": {"minimum_metric_rows": 1, "running_metrics": True, "exact_metrics": True}}
    training_datasets["policy"]["training_datasets"] = ["train", "today"]
    data = {"data": {"unlabelled_rows": "drop", "sample_weight": "weight"}}
    with Organisations(
        tmp_path_factory.mktemp("unlabelled"),
        frames=frames,
        training=TRAINING,
        overrides={"alice": training_datasets, "bob": {**training_datasets, **data}},
    ) as made:
        made.start_servers()
        made.write_run(alignment={"datasets": list(DATASETS)}, evaluate_dataset="test")
        with connect(made.run_path) as parties:
            made.aligned = {one.dataset: one.rows_in_common for one in parties.align()}
            made.history = parties.fit()
        yield made


def run_folder(organisations):
    return organisations.state_path("bob") / "runs" / organisations.history.run_id


def predict(organisations, dataset):
    with connect(organisations.run_path) as parties:
        written = parties.predict(dataset, run_id=organisations.history.run_id)
    return pd.read_csv(run_folder(organisations) / written.files[0]).set_index("ID")["probability"]


def evaluate(organisations, dataset):
    with connect(organisations.run_path) as parties:
        metrics = parties.evaluate(dataset, run_id=organisations.history.run_id)
    line = json.loads((run_folder(organisations) / "evaluations.jsonl").read_text().splitlines()[-1])
    return metrics, line


def test_a_run_equals_one_on_a_file_without_these_rows(organisations):
    frame = organisations.read_table("bob", "train")
    organisations.write_frame("bob", "train", frame[frame["rating"] != ""])
    try:
        with connect(organisations.run_path) as parties:
            aligned = {one.dataset: one.rows_in_common for one in parties.align()}
            history = parties.fit()
    finally:
        organisations.write_frame("bob", "train", frame)
        with connect(organisations.run_path) as parties:
            parties.align()
    assert aligned["train"] == organisations.aligned["train"]
    assert history.history == organisations.history.history
    for name in organisations.names:
        weights = organisations.weights(name, organisations.history.run_id)
        for key, array in organisations.weights(name, history.run_id).items():
            np.testing.assert_array_equal(array, weights[key], err_msg=f"{name}: {key}")


def test_metrics_leave_rows_out_that_are_predicted(organisations):
    predicted = predict(organisations, "test")
    labels = organisations.read_table("bob", "test").set_index("ID")["rating"].reindex(predicted.index)
    metrics, line = evaluate(organisations, "test")
    known = labels != ""
    assert 0.2 < 1 - known.mean() < 0.5
    assert len(predicted) == organisations.aligned["test"]
    assert line["rows"] == known.sum()
    truth, scores = (labels[known] == "5").to_numpy(np.float64), predicted[known].to_numpy()
    assert metrics["auc"] == pytest.approx(area_under_curve(scores, truth), abs=1e-6)
    by_hand = -np.mean(truth * np.log(scores) + (1 - truth) * np.log1p(-scores))
    assert metrics["loss"] == pytest.approx(by_hand, rel=1e-5)


def test_a_dataset_of_one_class_is_evaluated_and_its_undefined_metrics_are_named(organisations):
    assert predict(organisations, "today").between(0, 1).all()
    metrics, line = evaluate(organisations, "today")
    undefined = {name for name, value in metrics.items() if math.isnan(value)}
    assert {"auc", "recall"} <= undefined
    assert math.isfinite(metrics["loss"])
    assert set(line["undefined"]) == undefined
    assert all(line["metrics"][name] is None for name in undefined)
    shown = organisations.coordinator("evaluate", "--dataset", "today", "--run", organisations.history.run_id)
    assert shown.returncode == 0, shown.stderr
    assert "auc        undefined" in shown.stdout
    assert shown.stdout.splitlines()[-1].startswith("undefined: auc, ")


def test_a_dataset_of_one_class_is_not_trained_on(organisations, caplog):
    organisations.write_run({"dataset": "today"}, alignment={"datasets": list(DATASETS)}, evaluate_dataset="test")
    try:
        with connect(organisations.run_path) as parties, pytest.raises(DataError):
            parties.fit()
        assert "labels have one class only" in caplog.text  # at bob, who alone is told why
    finally:
        organisations.write_run(alignment={"datasets": list(DATASETS)}, evaluate_dataset="test")


def test_check_counts_them(organisations, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    print_check(organisations.party_path("bob"))
    text = capsys.readouterr().out or __import__("sys").stdout.getvalue()
    frames = {name: organisations.read_table("bob", name) for name in DATASETS}
    without = {name: int((frame["rating"] == "").sum()) for name, frame in frames.items()}
    assert f"{without['train']} of {len(frames['train'])} rows have no label yet and are left out" in text
    assert f"{without['test']} of {len(frames['test'])} rows have no label yet: they are predicted" in text
    assert "0.0 % positive, one class only" in text
