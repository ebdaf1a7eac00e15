"""Several batches under way: gradients belong to older weights, as the schedule says, and to no others."""

import numpy as np
import pytest

from coordinator import connect
from tests.support.fitting import expect_same_bits, fit
from tests.support.joined_federations import (
    FEDERATIONS,
    LEARNING_RATES,
    LOSS_TOLERANCE,
    OPTIMIZERS,
    WEIGHT_TOLERANCE,
    make_oracle,
)
from tests.support.model_family import CITY, FILM, PARTIES, SEQUENCE, frames, overrides
from tests.support.organisations import FEATURES
from tests.support.pipelined_oracle import PipelinedOracle, pipelined
from tests.support.proxy import TcpProxy
from tests.support.resuming import expect_equal, outcome, restart, stop_at, train

TRAINING = {"epochs": 2, "batch_size": 31, "validation_fraction": 0.167}
NAMES = ("alice", "bob", "charlie")


CASES = [
    ("three parties", 3, "adam"),
    ("three parties", 16, "sgd"),
    ("label party without features", 2, "adam"),
]


@pytest.mark.parametrize(("federation", "depth", "optimizer"), CASES)
def test_every_update_uses_the_weights_that_the_schedule_says(make_organisations, federation, depth, optimizer):
    features = FEDERATIONS[federation]
    names = sorted(features)
    learning = {"optimizer": {"name": optimizer, "learning_rate": LEARNING_RATES[optimizer]}}
    training = {**TRAINING, **learning, **pipelined(depth)}
    organisations = make_organisations(names=names, features=features, training=training).start_servers()
    with connect(organisations.write_run({"maximum_steps": 0})) as parties:
        parties.align()
        initial = {name: organisations.weights(name, parties.fit().run_id) for name in names}
    with connect(organisations.write_run()) as parties:
        history = parties.fit()
    oracle = make_oracle(organisations, training, OPTIMIZERS[optimizer], initial)
    expected = PipelinedOracle(oracle, depth).train(history.params["steps"])
    received = [loss for _, _, loss in history.step_loss]
    np.testing.assert_allclose(received, expected, rtol=0, atol=LOSS_TOLERANCE)
    for name, weights in oracle.weights().items():
        saved = organisations.weights(name, history.run_id)
        for key, array in weights.items():
            difference = np.linalg.norm(saved[key] - array) / max(np.linalg.norm(array), 1e-12)
            assert difference < WEIGHT_TOLERANCE, (name, key, difference)


def test_one_batch_under_way_is_the_synchronous_schedule_and_more_are_not(make_organisations):
    organisations = make_organisations(training=TRAINING).start_servers()
    synchronous = fit(organisations)
    expect_same_bits(fit(organisations, pipelined(1)), synchronous)
    ahead = fit(organisations, pipelined(2))
    assert ahead[0][0] == synchronous[0][0], "nothing is old in the first step"
    assert ahead[0] != synchronous[0]


def test_the_network_decides_nothing(make_organisations):
    organisations = make_organisations(names=NAMES, features=FEATURES, training={**TRAINING, **pipelined(3)})
    organisations.start_servers()
    near = fit(organisations)
    far = TcpProxy(organisations.ports["alice"], delay_seconds=0.01)
    less_far = TcpProxy(organisations.ports["bob"], delay_seconds=0.004)
    with far, less_far:
        ports = {**organisations.ports, "alice": far.port, "bob": less_far.port}
        with connect(organisations.write_run(ports=ports)) as parties:
            history = parties.fit()
    weights = {name: organisations.weights(name, history.run_id) for name in NAMES}
    expect_same_bits((history.step_loss, weights), near)


def test_several_labels_are_trained_with_batches_under_way(make_organisations):
    """Nothing is old in the first step of an epoch: there both schedules say the same of every label."""
    organisations = make_organisations(
        names=PARTIES,
        features={"alice": [CITY], "bob": [FILM, SEQUENCE]},
        frames=frames(),
        training={"epochs": 2, "batch_size": 64, "maximum_steps": 1},
        overrides=overrides(),
    ).start_servers()
    changes = {"alignment": {"datasets": ["train"]}}
    outcomes = []
    for schedule in ({}, pipelined(2)):
        with connect(organisations.write_run(schedule, **changes)) as parties:
            parties.align()
            outcomes.append(parties.fit())
    synchronous, ahead = (history.history for history in outcomes)
    assert list(synchronous) == list(ahead)
    assert any(name.endswith("_gradient_share") for name in ahead)
    for name, values in synchronous.items():
        np.testing.assert_allclose(ahead[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    for party in PARTIES:
        trained, expected = (organisations.weights(party, history.run_id) for history in outcomes[::-1])
        for key, array in expected.items():
            np.testing.assert_allclose(trained[key], array, rtol=1e-3, atol=1e-5, err_msg=f"{party}: {key}")


def test_a_run_that_stops_goes_on_with_its_batches_under_way(make_organisations):
    overrides = {"alice": {"model": {"kind": "dnn", "units": [5], "dropout": 0.3}}, "bob": {"fuse": {"kind": "dnn"}}}
    overrides["bob"]["model"] = {"kind": "dnn", "units": [5], "embedding_l2": 0.001}
    training = {**TRAINING, "epochs": 3, **pipelined(5)}
    organisations = make_organisations(training=training, overrides=overrides).start_servers()
    undisturbed = outcome(organisations, train(organisations))
    often = train(organisations, checkpoints={"every_steps": 1})
    expect_equal(outcome(organisations, often), undisturbed)
    run_id = stop_at(organisations, 3, checkpoints={"every_steps": 2})
    restart(organisations, *organisations.names)
    stop_at(organisations, 14, resume=run_id)
    expect_equal(outcome(organisations, train(organisations, resume=run_id)), undisturbed)
