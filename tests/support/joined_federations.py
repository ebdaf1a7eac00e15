"""Federations of two and three parties, and the joined model that each must equal."""

import keras

from party.models.row_optimizers import LazyAdam
from tests.support.oracle import JoinedOracle, OracleParty
from tests.support.organisations import FEATURES, SMALL_FUSE, SMALL_MODEL

LOSS_TOLERANCE = 1e-5
WEIGHT_TOLERANCE = 1e-4
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.001),
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "lazy_adam": lambda: LazyAdam(0.001),
}
LEARNING_RATES = {"adam": 0.001, "sgd": 0.05, "lazy_adam": 0.001}
FEDERATIONS = {
    "two parties": {name: FEATURES[name] for name in ("alice", "bob")},
    "three parties": FEATURES,
    "label party without features": {"alice": FEATURES["alice"], "bob": []},
}


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
        row_key=organisations.row_key(),
        validation_fraction=training["validation_fraction"],
        embedding_dimension=SMALL_MODEL["embedding_dimension"],
        base_units=SMALL_MODEL["units"],
        fuse_units=SMALL_FUSE["units"],
        optimizer=optimizer,
        weights=initial,
        batch_size=training["batch_size"],
    )
