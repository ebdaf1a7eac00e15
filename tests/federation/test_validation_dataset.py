"""Held-out rows that are another dataset at every party."""

import dataclasses

import numpy as np
import pytest

from coordinator import connect
from party.alignment.store import AlignmentStore
from party.errors import AlignmentError, ConfigurationError, PolicyError
from party.ledger.file import read_ledger
from tests.support.organisations import Organisations, make_frames
from tests.support.resuming import NEVER, expect_equal, outcome, restart, stop_at

DATASETS = ["later", "today", "train"]
HELD_OUT = {"validation_dataset": "later", "epochs": 2, "batch_size": 93}
EVERY = 4  # every fourth row has no label yet


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    frames = make_frames(("alice", "bob"), datasets=DATASETS)
    frames["bob"]["train"]["weight"] = np.where(np.arange(len(frames["bob"]["train"])) % 2 == 0, "1", "3")
    frames["bob"]["today"]["rating"] = "2"
    later = frames["bob"]["later"]
    later["rating"] = np.where(np.arange(len(later)) % EVERY == 0, "", later["rating"])
    frames["alice"]["later"]["city"] = "Nowhere"  # in no vocabulary of training rows
    data = {"data": {"unlabelled_rows": "drop", "sample_weight": "weight"}}
    folder = tmp_path_factory.mktemp("validation")
    with Organisations(folder, frames=frames, training={"batch_size": 93}, overrides={"bob": data}) as made:
        made.start_servers()
        write_run(made)
        with connect(made.run_path) as parties:
            parties.align()
            made.reference = parties.fit()
        yield made


def write_run(organisations, **training):
    settings = {"checkpoints": NEVER, "alignment": {"datasets": DATASETS}, "evaluate_dataset": "later"}
    organisations.write_run({**HELD_OUT, **training}, **settings)


def fit(organisations, **training):
    write_run(organisations, **training)
    with connect(organisations.run_path) as parties:
        return parties.fit()


def test_figures_of_the_last_epoch_are_those_of_an_evaluation(organisations):
    write_run(organisations)
    with connect(organisations.run_path) as parties:
        evaluated = parties.evaluate("later", run_id=organisations.reference.run_id)
    history = organisations.reference.history
    for name, value in evaluated.items():
        assert history[f"val_{name}"][-1] == pytest.approx(value, rel=1e-6), name
    assert history["val_loss"][0] != history["val_loss"][1]


def test_the_model_is_that_of_a_run_without_held_out_rows(organisations):
    plain = fit(organisations, validation_dataset=None)
    assert plain.history["loss"] == organisations.reference.history["loss"]
    assert "val_loss" not in plain.history
    for name in organisations.names:
        weights = organisations.weights(name, plain.run_id)
        for key, array in organisations.weights(name, organisations.reference.run_id).items():
            np.testing.assert_array_equal(array, weights[key], err_msg=f"{name}: {key}")
        folders = [organisations.state_path(name) / "runs" / one.run_id for one in (plain, organisations.reference)]
        assert len({(folder / "encoders.json").read_bytes() for folder in folders}) == 1


def test_the_ledger_names_both_datasets(organisations):
    for name in organisations.names:
        lines = read_ledger(organisations.state_path(name))
        of_run = {one.datasets for one in lines if one.run_id == organisations.reference.run_id and one.epochs}
        assert of_run == {("train", "later")}


def test_it_resumes_to_the_bits_of_a_run_that_never_stopped(organisations):
    stopping = {"metric": "val_auc", "mode": "max", "patience": 1}
    training = {**HELD_OUT, "schedule": {"kind": "pipelined", "depth": 2}, "early_stopping": stopping}
    reference = fit(organisations, **training)
    stop_at(organisations, 7, training=training, alignment={"datasets": DATASETS})
    write_run(organisations, **training)
    with connect(organisations.run_path) as parties:
        resumed = parties.fit(resume="")
    expect_equal(outcome(organisations, resumed), outcome(organisations, reference))


def test_early_stopping_by_a_metric_that_the_rows_leave_undefined_is_refused(organisations):
    stopping = {"metric": "val_auc", "mode": "max"}
    with pytest.raises(ConfigurationError, match="val_auc is undefined over the held-out rows"):
        fit(organisations, validation_dataset="today", early_stopping=stopping)
    assert fit(organisations, validation_dataset="today", epochs=1).undefined == ["val_auc", "val_recall"]


def test_an_owner_who_allows_no_evaluation_of_it_refuses(organisations):
    policy = {"minimum_metric_rows": 1, "inference_datasets": ["today"]}
    organisations.write_party("alice", policy=policy)
    restart(organisations, "alice")
    try:
        with pytest.raises(PolicyError, match="inference_datasets"):
            fit(organisations)
    finally:
        organisations.write_party("alice")
        restart(organisations, "alice")


def test_rows_of_it_in_another_order_are_refused(organisations):
    table = organisations.servers["alice"].context.tables.table("later")
    store = AlignmentStore(organisations.state_path("alice") / "alignments")
    stored = store.load("later", data_sha256=bytes.fromhex(table.sha256), parties=("alice", "bob"))
    store.save("later", dataclasses.replace(stored, rows=np.roll(stored.rows, 1)))
    try:
        with pytest.raises(AlignmentError):
            fit(organisations)
    finally:
        store.save("later", stored)
