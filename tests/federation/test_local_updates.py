"""Batches that are used again: every local step equals the one of the joined model cut between the parties."""

import functools

import keras
import numpy as np
import pytest
import yaml

from coordinator import connect
from party.channel.codecs.affine import AffineCodec
from tests.support.cut_layouts import layout_of
from tests.support.fitting import expect_same_bits, fit
from tests.support.joined_federations import FEDERATIONS, LOSS_TOLERANCE, WEIGHT_TOLERANCE, make_oracle
from tests.support.local_oracle import LocalUpdatesOracle
from tests.support.organisations import SMALL_MODEL, Organisations
from tests.support.pipelined_oracle import pipelined
from tests.support.resuming import DROPOUT, NORMALISED, restart, stop_at, train

TRAINING = {"epochs": 2, "batch_size": 96, "validation_fraction": 0.1}
EMBEDDING_L2 = 0.01
POSITIVE_WEIGHT = 2.0
ROUNDING = 1e-6  # a cosine this close to the threshold would be decided by the order of a sum
NOTHING = 1e-46  # zero in single precision
LAYOUT = layout_of([SMALL_MODEL["units"][-1], SMALL_MODEL["embedding_dimension"], 1, 1])
CODECS = {"hidden": {"kind": "int4"}, "gradient": {"kind": "int4"}}


def local(steps, window, uses, minimum_cosine=0.5):
    section = {"steps": steps, "window": window, "uses": uses, "minimum_cosine": minimum_cosine}
    return {"local_updates": section}


def through_int4(matrix):
    codec = AffineCodec(LAYOUT, 4)
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


CASES = {  # federation, depth, optimizer, learning rate, local updates, whether messages lose something
    "three parties": ("three parties", 1, "sgd", 0.5, local(2, 3, 2, 0.5), False),
    "three parties, batches under way": ("three parties", 3, "adam", 0.02, local(2, 5, 5, 0.9), False),
    "weighted losses, lossy messages": ("two parties", 1, "sgd", 0.2, local(2, 3, 2, 0.9), True),
    "FedBCD, label party without features": (
        "label party without features",
        1,
        "adam",
        0.01,
        local(2, 1, 2, None),
        False,
    ),
}
OPTIMIZERS = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}


@pytest.mark.parametrize("case", CASES)
def test_local_steps_equal_those_of_the_joined_model(federations, case):
    federation, depth, optimizer, rate, updates, lossy = CASES[case]
    organisations, initial = federations(federation)
    training = {"optimizer": {"name": optimizer, "learning_rate": rate}, **updates}
    training |= pipelined(depth) if depth > 1 else {}
    training |= {"codecs": CODECS} if lossy else {}
    joined = make_oracle(organisations, TRAINING, lambda: OPTIMIZERS[optimizer](rate), initial)
    losses = {"embedding_l2": EMBEDDING_L2, "positive_weight": POSITIVE_WEIGHT}
    oracle = LocalUpdatesOracle(
        joined,
        depth,
        **updates["local_updates"],
        codec=through_int4 if lossy else None,
        **(losses if federation == "two parties" else {}),
    )
    steps = TRAINING["epochs"] * oracle.batches_per_epoch
    expected = oracle.train(steps)
    if oracle.minimum_cosine is not None:
        expect_rows_that_count_and_rows_that_do_not(oracle)

    with connect(organisations.write_run(training)) as parties:
        history = parties.fit()

    received = [loss for _, _, loss in history.step_loss]
    np.testing.assert_allclose(received, expected, rtol=0, atol=LOSS_TOLERANCE)
    rows = [len(joined.batch_rows(step)) for step in range(steps)]
    means = [np.average(received[part], weights=rows[part]) for part in epochs_of(steps)]
    np.testing.assert_allclose(history.history["loss"], means, rtol=1e-6, err_msg="local steps are in no metric")
    np.testing.assert_allclose(history.history["val_loss"], oracle.validation_losses, rtol=0, atol=LOSS_TOLERANCE)
    for name, weights in joined.weights().items():
        saved = organisations.weights(name, history.run_id)
        assert set(saved) == set(weights)
        for key, array in weights.items():
            difference = np.linalg.norm(saved[key] - array) / max(np.linalg.norm(array), 1e-12)
            assert difference < WEIGHT_TOLERANCE, (name, key, difference)


def epochs_of(steps):
    length = steps // TRAINING["epochs"]
    return [slice(start, start + length) for start in range(0, steps, length)]


def expect_rows_that_count_and_rows_that_do_not(oracle):
    """What a case sees of the weighting, and that it is not rounding which decides."""
    shares = {party: oracle.dropped_share(party) for party in oracle.cosines}
    assert all(shares[party] > 0.01 for party in oracle.feature_parties), shares
    assert max(shares.values()) < 0.9, shares
    assert oracle.closest_to_threshold() > ROUNDING, oracle.closest_to_threshold()


@pytest.fixture(scope="module")
def dropping(tmp_path_factory):
    """A federation whose models drop units at random and keep statistics of their batches."""
    training = {"epochs": 2, "batch_size": 93}  # four batches
    with Organisations(tmp_path_factory.mktemp("dropping"), training=training, overrides=DROPOUT) as made:
        for name in made.names:
            (made.party_path(name).parent / "normalised.py").write_text(NORMALISED)
        made.start_servers()
        yield made


def bits(organisations, history):
    weights = {name: organisations.weights(name, history.run_id) for name in organisations.names}
    return history.step_loss, weights


def test_without_uses_it_is_the_plain_schedule_to_the_bit(dropping):
    expect_same_bits(fit(dropping, local(3, 4, 0)), fit(dropping))


def test_local_steps_leave_dropout_and_batch_statistics_alone(dropping):
    """Where no step moves a weight, a run with local updates is the run without them."""
    still = {"optimizer": {"name": "sgd", "learning_rate": NOTHING}}
    plain, again = (train(dropping, training={**still, **updates}) for updates in ({}, local(2, 3, 2)))
    assert len({loss for _, _, loss in plain.step_loss}) == len(plain.step_loss)
    assert again.history == plain.history
    expect_same_bits(bits(dropping, again), bits(dropping, plain))


def test_a_run_that_stops_goes_on_with_its_cached_batches(dropping):
    """Of four steps in an epoch, it stops early in the second, with batches of the first in its cache."""
    updates = {"training": {**pipelined(2), **local(2, 4, 3)}}
    undisturbed = train(dropping, **updates)
    run_id = stop_at(dropping, 5, checkpoints={"every_steps": 2}, **updates)
    restart(dropping, *dropping.names)
    resumed = train(dropping, resume=run_id, **updates)
    assert resumed.history == undisturbed.history
    expect_same_bits(bits(dropping, resumed), bits(dropping, undisturbed))
