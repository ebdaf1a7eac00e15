"""Clicks alone at the label party, and negatives that are drawn for them, with real parties."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from coordinator.connecting import connect_federation
from coordinator.evaluation_result import evaluated as evaluated_result
from party.alignment.joined_store import JoinedStore
from party.runtime.column_ranges import load_with_columns
from party.runtime.negative_secrets import stored_secret
from party.runtime.tables import Tables
from tests.support.joined_federations import LOSS_TOLERANCE, OPTIMIZERS, WEIGHT_TOLERANCE
from tests.support.joined_organisations import FILMS, USERS, JoinedOrganisations, described, events
from tests.support.oracle import JoinedOracle, OracleParty
from tests.support.organisations import SMALL_FUSE, SMALL_MODEL
from tests.support.resuming import Lines, expect_equal, outcome, restart, run_path, stop_at, train

NEGATIVES = {"per_positive": 2, "user": "UserID", "item": ["Title", "Year"], "columns": ["film"]}
METRICS = ["auc", {"name": "hit_rate", "by": "UserID", "k": 2}]
TRAINING = {"epochs": 2, "batch_size": 32, "distinct": False}
SAID = "(over 2 sampled negatives for each positive row)"


def clicks(dataset, seed):
    frame = events(400, dataset=dataset, seed=seed)
    return frame[frame["rating"] == "5"].reset_index(drop=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clicks")
    parties = described(bob={"train": clicks("train", 3), "test": clicks("test", 4)})
    labels = {"liked": {"rule": "rating > 3", "metrics": METRICS}}
    parties["bob"] |= {"data": {"negatives": NEGATIVES}, "labels": labels}
    with JoinedOrganisations(folder, parties, TRAINING) as organisations:
        organisations.start_servers()
        path = run_path(organisations, training={"maximum_steps": 0}, alignment={"datasets": ["test", "train"]})
        with connect(path) as federation:
            federation.align()
            run_id = federation.fit().run_id
        organisations.initial = {name: organisations.weights(name, run_id) for name in organisations.names}
        organisations.undisturbed = train(organisations)
        yield organisations


def table(organisations, dataset="train"):
    """Reads a dataset as another process of the label party does."""
    configuration = load_with_columns(organisations.party_path("bob"))
    secret = stored_secret(configuration, os.urandom)
    return Tables(configuration, dict, negatives_secret=lambda: secret).table(dataset)


def read_frame(organisations):
    """The rows that the parties have in common, in their order, and which of them are in the file."""
    read = table(organisations)
    rows = JoinedStore(organisations.state_path("bob") / "alignments").load("train", organisations.names).rows
    frame = pd.DataFrame({name: read.columns[name].by_row() for name in read.columns})
    return frame.iloc[rows].reset_index(drop=True), read.negatives.in_file(rows)


def test_training_equals_joint_training_over_rows_that_were_drawn(made, tmp_path):
    frame, in_file = read_frame(made)
    assert 0.2 < in_file.mean() < 0.5
    users = made.read_table("alice", USERS)
    users["UserID"] = users["UserID"].str.strip().str.lower()
    frames = {
        "alice": frame[["UserID"]].merge(users, on="UserID", validate="many_to_one"),
        "bob": frame,
        "charlie": frame[["Title", "Year"]].merge(
            made.read_table("charlie", FILMS), on=["Title", "Year"], validate="many_to_one"
        ),
    }
    parties = []
    for name, one in frames.items():
        path = tmp_path / f"{name}.csv"
        one.assign(ID=[f"{place:06d}" for place in range(len(frame))]).to_csv(path, index=False)
        label = {"label": lambda rating: rating > 3, "label_column": "rating"} if name == "bob" else {}
        parties.append(OracleParty(name, path, made.features[name], **label))
    history = made.undisturbed
    record = json.loads((made.state_path("bob") / "runs" / history.run_id / "record.json").read_text())
    oracle = JoinedOracle(
        parties=parties,
        id_column="ID",
        label_party="bob",
        row_key=bytes.fromhex(record["row_key"]),
        validation_fraction=0.0,
        embedding_dimension=SMALL_MODEL["embedding_dimension"],
        base_units=SMALL_MODEL["units"],
        fuse_units=SMALL_FUSE["units"],
        optimizer=OPTIMIZERS["sgd"],
        weights=made.initial,
        batch_size=TRAINING["batch_size"],
    )
    expected = oracle.train(len(history.step_loss))
    np.testing.assert_allclose([loss for _, _, loss in history.step_loss], expected, rtol=0, atol=LOSS_TOLERANCE)
    for name, weights in oracle.weights().items():
        saved = made.weights(name, history.run_id)
        for key, array in weights.items():
            difference = np.linalg.norm(saved[key] - array) / max(np.linalg.norm(array), 1e-12)
            assert difference < WEIGHT_TOLERANCE, (name, key, difference)


def test_predictions_are_of_the_rows_of_the_file(made):
    with connect(made.run_path) as federation:
        predicted = federation.predict("train")
    written = pd.read_csv(made.state_path("bob") / "runs" / made.undisturbed.run_id / predicted.files[0])
    read = table(made)
    rows = JoinedStore(made.state_path("bob") / "alignments").load("train", made.names).rows
    ids = read.ids.of(rows[read.negatives.in_file(rows)])
    assert predicted.rows == len(written) == len(set(written["Event"]))
    assert list(written["Event"]) == ids
    assert written["probability"].notna().all()


def test_figures_say_what_they_are_over(made, caplog):
    caplog.set_level("INFO")
    lines = []
    path = run_path(made, training={"validation_dataset": "test", "epochs": 1})
    with connect_federation(path, lambda: Lines(lines)) as federation:
        history = federation.fit()
        (evaluated,) = evaluated_result(lambda column: federation.evaluation("test", shuffled=column), [])
    assert 0 < evaluated.metrics["hit_rate_2"] < 1
    (epoch,) = [line for line in lines if line.startswith("epoch")]
    assert epoch.count(SAID) == 2
    assert f"test: metrics {SAID}" in list(evaluated.lines(None))
    assert history.negatives_per_positive == {"train": 2, "validation": 2}
    own = made.state_path("bob") / "runs" / history.run_id
    said = json.loads((own / "history.json").read_text())["negatives_per_positive"]
    assert said == {"train": 2, "validation": 2}
    assert json.loads((own / "evaluations.jsonl").read_text())["negatives_per_positive"] == 2
    logged = [one for one in caplog.messages if "epoch 1:" in one or "evaluation of" in one]
    assert [one.count(SAID) for one in logged] == [2, 1]


def test_ranked_figures_over_rows_held_out_one_by_one_are_warned_of(made, caplog):
    with connect(run_path(made, training={"validation_fraction": 0.2, "maximum_steps": 1})) as federation:
        federation.fit()
    (warned,) = [one for one in caplog.messages if "validation_fraction" in one]
    assert warned.endswith("hold out another dataset by training.validation_dataset")


def test_a_stopped_run_goes_on_to_the_same_bits_after_a_restart(made):
    undisturbed = outcome(made, made.undisturbed)
    run_id = stop_at(made, 3, checkpoints={"every_steps": 1})
    restart(made, *made.names)
    expect_equal(outcome(made, train(made, resume=run_id)), undisturbed)
