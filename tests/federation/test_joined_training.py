"""Training, evaluation and prediction over three natural tables, with real parties."""

import json

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from party.alignment.joined_store import JoinedStore
from tests.support.joined_federations import LOSS_TOLERANCE, OPTIMIZERS, WEIGHT_TOLERANCE
from tests.support.joined_organisations import FILMS, USERS, JoinedOrganisations, described
from tests.support.oracle import JoinedOracle, OracleParty
from tests.support.organisations import SMALL_FUSE, SMALL_MODEL
from tests.support.resuming import expect_equal, outcome, restart, stop_at, train

TRAINING = {"epochs": 2, "batch_size": 32, "validation_fraction": 0.2, "party_dropout": {"charlie": 0.25}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Rows without a user stay, those without a film do not; rows of charlie are dropped in training."""
    folder = tmp_path_factory.mktemp("joins")
    with JoinedOrganisations(folder, described(("left", "inner")), TRAINING) as organisations:
        organisations.start_servers()
        organisations.undisturbed = train(organisations)
        yield organisations


def record(organisations, run_id):
    return json.loads((organisations.state_path("bob") / "runs" / run_id / "record.json").read_text())


def stored(organisations, name, dataset="train"):
    return JoinedStore(organisations.state_path(name) / "alignments").load(dataset, organisations.names)


def test_absent_vectors_are_trained_saved_and_exported(made):
    run_id = made.undisturbed.run_id
    saved = record(made, run_id)
    assert saved["absent_trained"] == saved["fuse"]["absent"] == ["alice", "charlie"]
    assert {party: sum(units.values()) for party, units in saved["fuse"]["columns"].items()}["alice"] == 4 + 4 + 2
    vectors = {name: array for name, array in made.weights("bob", run_id).items() if name.startswith("absent/")}
    assert sorted(vectors) == [
        f"absent/{party}.{hidden}/kernel"
        for party in ("alice", "charlie")
        for hidden in ("deep", "factor_square", "factor_sum", "linear")
    ]
    assert all(np.abs(vector).max() > 0 for name, vector in vectors.items() if "factor" not in name)
    assert (made.state_path("bob") / "runs" / run_id / "absent.keras").exists()


def test_a_finished_run_is_evaluated_and_predicted(made):
    with connect(made.run_path) as parties:
        loss = parties.evaluate("train")["loss"]
        predicted = parties.predict("train")
    table = pd.read_csv(made.state_path("bob") / "runs" / made.undisturbed.run_id / predicted.files[0])
    rows = stored(made, "bob").rows
    assert predicted.rows == len(table) == len(rows)
    events = made.read_table("bob", "train").iloc[rows]
    assert list(table["Event"]) == list(events["Event"])
    is_good = events["rating"].astype(float).to_numpy() > 3
    of_label = np.where(is_good, table["probability"], 1 - table["probability"])
    assert -np.log(of_label).mean() == pytest.approx(loss, abs=1e-5), "each row has its own prediction"


def test_a_stopped_run_goes_on_to_the_same_bits(made):
    undisturbed = outcome(made, made.undisturbed)
    run_id = stop_at(made, 3, checkpoints={"every_steps": 1})
    restart(made, *made.names)
    expect_equal(outcome(made, train(made, resume=run_id)), undisturbed)


def test_training_equals_joint_training_over_the_joined_table(tmp_path):
    """Every row of an entity travels by itself, and every feature is encoded as in the joined table."""
    folder = tmp_path / "federation"
    folder.mkdir(mode=0o700)
    training = {"epochs": 4, "batch_size": 16, "distinct": False, "optimizer": {"name": "sgd", "learning_rate": 0.05}}
    with JoinedOrganisations(folder, described(datasets=("train",)), training) as organisations:
        organisations.start_servers()
        with connect(organisations.write_run({"maximum_steps": 0})) as parties:
            parties.align()
            initial = {name: organisations.weights(name, parties.fit().run_id) for name in organisations.names}
        with connect(organisations.write_run()) as parties:
            history = parties.fit()
        oracle = joint_model(organisations, tmp_path, history.run_id, initial)
        expected = oracle.train(len(history.step_loss))
        np.testing.assert_allclose([loss for _, _, loss in history.step_loss], expected, rtol=0, atol=LOSS_TOLERANCE)
        for name, weights in oracle.weights().items():
            saved = organisations.weights(name, history.run_id)
            for key, array in weights.items():
                difference = np.linalg.norm(saved[key] - array) / max(np.linalg.norm(array), 1e-12)
                assert difference < WEIGHT_TOLERANCE, (name, key, difference)


def joint_model(organisations, folder, run_id, initial):
    """Makes the model over files in which pandas has joined the tables, in the order of the aligned rows."""
    rows = stored(organisations, "bob").rows
    events = organisations.read_table("bob", "train").iloc[rows].reset_index(drop=True)
    users = organisations.read_table("alice", USERS)
    users["UserID"] = users["UserID"].str.strip().str.lower()
    frames = {
        "alice": events[["UserID"]].merge(users, on="UserID", validate="many_to_one"),
        "bob": events,
        "charlie": events[["Title", "Year"]].merge(
            organisations.read_table("charlie", FILMS), on=["Title", "Year"], validate="many_to_one"
        ),
    }
    parties = []
    for name, frame in frames.items():
        assert len(frame) == len(rows)
        path = folder / f"{name}.csv"
        frame.assign(ID=[f"{place:06d}" for place in range(len(rows))]).to_csv(path, index=False)
        label = {"label": lambda rating: rating > 3, "label_column": "rating"} if name == "bob" else {}
        parties.append(OracleParty(name, path, organisations.features[name], **label))
    return JoinedOracle(
        parties=parties,
        id_column="ID",
        label_party="bob",
        row_key=bytes.fromhex(record(organisations, run_id)["row_key"]),
        validation_fraction=0.0,
        embedding_dimension=SMALL_MODEL["embedding_dimension"],
        base_units=SMALL_MODEL["units"],
        fuse_units=SMALL_FUSE["units"],
        optimizer=OPTIMIZERS["sgd"],
        weights=initial,
        batch_size=organisations.training["batch_size"],
    )
