"""Batches that are used again: every local step equals the one of the joined model cut between the parties."""

import functools

import numpy as np
import pytest
import yaml
from fitting import expect_same_bits, fit
from local_oracle import LocalUpdatesOracle
from organisations import SMALL_MODEL, Organisations
from test_lossless import FEDERATIONS, LEARNING_RATES, LOSS_TOLERANCE, OPTIMIZERS, WEIGHT_TOLERANCE, make_oracle
from test_pipelining import pipelined
from test_resume import expect_equal, outcome, restart, stop_at, stop_is_seen_at_once, train  # noqa: F401

from coordinator import connect
from party.codecs.affine import AffineCodec
from party.codecs.codec import columns_of

TRAINING = {"epochs": 2, "batch_size": 64, "validation_fraction": 0.1}
EMBEDDING_L2 = 0.01
POSITIVE_WEIGHT = 2.0
ROUNDING = 1e-6  # a cosine this close to the threshold would be decided by the order of a sum
COLUMNS = columns_of([SMALL_MODEL["units"][-1], SMALL_MODEL["embedding_dimension"], 1, 1])
CODECS = {"hidden": {"kind": "int4"}, "gradient": {"kind": "int4"}}


def local(steps, window, uses, minimum_cosine=0.5):
    section = {"steps": steps, "window": window, "uses": uses, "minimum_cosine": minimum_cosine}
    return {"local_updates": section}


def through_int4(matrix):
    codec = AffineCodec(COLUMNS, 4)
    return codec.decode(codec.encode(matrix, 0), len(matrix), 0)


@pytest.fixture(scope="module")
def federations(tmp_path_factory):
    """Makes each federation once: its servers, its alignment, and the weights that its runs begin with."""
    made = {}

    @functools.cache
    def make(name):
        features = FEDERATIONS[name]
        folder = tmp_path_factory.mktemp("federation")
        organisations = Organisations(folder, sorted(features), features, training=TRAINING)
        made[name] = organisations
        if name == "two parties":
            regularise(organisations)
        organisations.start_servers()
        with connect(organisations.write_run({"maximum_steps": 0})) as parties:
            parties.align()
            run_id = parties.fit().run_id
        return organisations, {party: organisations.weights(party, run_id) for party in organisations.names}

    yield make
    for organisations in made.values():
        organisations.__exit__()


def regularise(organisations):
    """Squares of the factors in the losses of both parties, and rows of one class that weigh more."""
    data = yaml.safe_load(organisations.party_path("bob").read_text())["data"]
    data["labels"]["liked"]["class_weights"] = {"positive": POSITIVE_WEIGHT}
    model = {**SMALL_MODEL, "embedding_l2": EMBEDDING_L2}
    organisations.write_party("alice", model=model)
    organisations.write_party("bob", model=model, data=data)


CASES = {
    "three parties, batches under way": ("three parties", 3, "adam", local(3, 5, 5, 0.9), False),
    "weighted losses, FedBCD": ("two parties", 1, "adam", local(3, 1, 3, None), False),
    "weighted losses, messages that lose something": ("two parties", 1, "sgd", local(2, 2, 3, 0.9), True),
    "label party without features": ("label party without features", 1, "sgd", local(2, 4, 3, 0.5), False),
}


def joined(organisations, initial, optimizer):
    return make_oracle(organisations, TRAINING, OPTIMIZERS[optimizer], initial)


@pytest.mark.parametrize("case", CASES)
def test_local_steps_equal_those_of_the_joined_model(federations, case):
    federation, depth, optimizer, updates, lossy = CASES[case]
    organisations, initial = federations(federation)
    training = {"optimizer": {"name": optimizer, "learning_rate": LEARNING_RATES[optimizer]}, **updates}
    training |= pipelined(depth) if depth > 1 else {}
    training |= {"codecs": CODECS} if lossy else {}
    with connect(organisations.write_run(training)) as parties:
        history = parties.fit()

    oracle = joined(organisations, initial, optimizer)
    weighted = {"embedding_l2": EMBEDDING_L2, "positive_weight": POSITIVE_WEIGHT}
    expected = LocalUpdatesOracle(
        oracle,
        depth,
        **updates["local_updates"],
        codec=through_int4 if lossy else None,
        **(weighted if federation == "two parties" else {}),
    )
    expected_losses = expected.train(history.params["steps"])
    if expected.minimum_cosine is not None:
        assert expected.closest_to_threshold() > ROUNDING

    received = [loss for _, _, loss in history.step_loss]
    np.testing.assert_allclose(received, expected_losses, rtol=0, atol=LOSS_TOLERANCE)
    rows = [len(oracle.batch_rows(step)) for step in range(len(received))]
    by_epoch = [
        np.average(losses, weights=weights)
        for losses, weights in zip(np.split(np.array(received), 2), np.split(np.array(rows), 2), strict=True)
    ]
    np.testing.assert_allclose(history.history["loss"], by_epoch, rtol=1e-6, err_msg="local steps count nowhere")
    np.testing.assert_allclose(history.history["val_loss"], expected.validation_losses, rtol=0, atol=LOSS_TOLERANCE)
    for name, weights in oracle.weights().items():
        saved = organisations.weights(name, history.run_id)
        assert set(saved) == set(weights)
        for key, array in weights.items():
            difference = np.linalg.norm(saved[key] - array) / max(np.linalg.norm(array), 1e-12)
            assert difference < WEIGHT_TOLERANCE, (name, key, difference)


def test_some_rows_count_nothing_and_others_do(federations):
    """The cases above would else say nothing of the threshold."""
    federation, depth, optimizer, updates, _ = CASES["three parties, batches under way"]
    organisations, initial = federations(federation)
    oracle = joined(organisations, initial, optimizer)
    expected = LocalUpdatesOracle(oracle, depth, **updates["local_updates"])
    expected.train(12)
    assert any(0 < expected.dropped_share(party) < 1 for party in organisations.names)


def test_no_uses_are_no_local_updates(federations):
    organisations, _ = federations("three parties")
    expect_same_bits(fit(organisations, local(3, 5, 0)), fit(organisations))


def test_a_run_that_stops_goes_on_with_its_batches_and_its_draws(make_organisations):
    training = {**TRAINING, "epochs": 3, **local(2, 3, 4), **pipelined(2)}
    overrides = {"alice": {"model": {"kind": "dnn", "units": [5], "dropout": 0.3}}, "bob": {"fuse": {"kind": "dnn"}}}
    overrides["bob"]["model"] = {"kind": "dnn", "units": [5], "dropout": 0.2}
    organisations = make_organisations(training=training, overrides=overrides).start_servers()
    undisturbed = outcome(organisations, train(organisations))
    run_id = stop_at(organisations, 5)
    restart(organisations, *organisations.names)
    expect_equal(outcome(organisations, train(organisations, resume=run_id)), undisturbed)
