"""Split training equals joint training, step for step: 2 and 3 parties, with and without own features."""

import keras
import numpy as np
import pytest
from oracle import JoinedOracle, OracleParty
from organisations import FEATURES, SMALL_FUSE, SMALL_MODEL

from coordinator import connect

STEPS = 100
LOSS_TOLERANCE = 1e-5
WEIGHT_TOLERANCE = 1e-4
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.001),
    "sgd": lambda: keras.optimizers.SGD(0.05),
}
LEARNING_RATES = {"adam": 0.001, "sgd": 0.05}
FEDERATIONS = {
    "two parties": {name: FEATURES[name] for name in ("alice", "bob")},
    "three parties": FEATURES,
    "label party without features": {"alice": FEATURES["alice"], "bob": []},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("federation", FEDERATIONS)
def test_split_training_equals_joint_training(make_organisations, federation, optimizer):
    features = FEDERATIONS[federation]
    training = {
        "epochs": 10,
        "batch_size": 32,
        "validation_fraction": 0.1,
        "optimizer": {"name": optimizer, "learning_rate": LEARNING_RATES[optimizer]},
    }
    organisations = make_organisations(names=sorted(features), features=features, training=training).start_servers()
    with connect(organisations.write_run({"maximum_steps": 0})) as parties:
        parties.align()
        initial = {name: organisations.weights(name, parties.fit().run_id) for name in organisations.names}
    with connect(organisations.write_run({"maximum_steps": STEPS})) as parties:
        history = parties.fit()

    oracle = make_oracle(organisations, training, OPTIMIZERS[optimizer], initial)
    expected = oracle.train(STEPS)

    received = [loss for _, _, loss in history.step_loss]
    assert len(received) == STEPS
    np.testing.assert_allclose(received, expected, rtol=0, atol=LOSS_TOLERANCE)
    for name, weights in oracle.weights().items():
        saved = organisations.weights(name, history.run_id)
        assert set(saved) == set(weights)
        for key, array in weights.items():
            difference = np.linalg.norm(saved[key] - array) / max(np.linalg.norm(array), 1e-12)
            assert difference < WEIGHT_TOLERANCE, (name, key, difference)
            assert not np.array_equal(saved[key], initial[name][key]), (name, key, "was not trained")


def make_oracle(organisations, training, optimizer, initial):
    parties = [
        OracleParty(
            name=name,
            path=organisations.table_path(name, "train"),
            features=organisations.features[name],
            label=(lambda rating: rating > 3) if name == "bob" else None,
            label_column="rating" if name == "bob" else None,
        )
        for name in organisations.names
    ]
    return JoinedOracle(
        parties=parties,
        id_column="ID",
        label_party="bob",
        seed=organisations.training["seed"],
        validation_fraction=training["validation_fraction"],
        embedding_dimension=SMALL_MODEL["embedding_dimension"],
        base_units=SMALL_MODEL["units"],
        fuse_units=SMALL_FUSE["units"],
        optimizer=optimizer,
        weights=initial,
        batch_size=training["batch_size"],
    )
