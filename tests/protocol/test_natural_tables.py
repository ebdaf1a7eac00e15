"""Training over natural tables equals one model over the joined table; absent rows, dropped rows, repeats."""

import numpy as np
import pytest

from party.protocol.party_dropout import PartyDropout
from party.protocol.schedule import Activity
from tests.support.entity_oracle import EntityOracle
from tests.support.entity_run import SECRET, EntityRun, make_models, make_optimizers
from tests.support.entity_tables import ALICE, CHARLIE, KEYS, make_tables

STEPS = 100
INNER, LEFT = dict.fromkeys(KEYS, "inner"), dict.fromkeys(KEYS, "left")
MIXED = {ALICE: "left", CHARLIE: "inner"}
PIPELINED = {"kind": "pipelined", "depth": 3}


@pytest.fixture
def make_run():
    runs = []

    def make(*arguments, **options):
        runs.append(EntityRun(*arguments, **options))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


def absent_of(kinds, training):
    left = {party for party, kind in kinds.items() if kind == "left"}
    return sorted(left | set(training.get("party_dropout", {})))


def oracle_losses(run, steps, optimizer):
    """Trains the oracle on the batches of a run; returns losses, and the oracle."""
    shares = run.section.party_dropout
    dropout = PartyDropout(shares, SECRET, run.section.seed)
    oracle = EntityOracle(
        run.tables,
        make_models(),
        make_optimizers(optimizer),
        distinct=run.section.sends_distinct,
        absent_parties=run.absent_parties,
        dropped=lambda party, step, rows: dropout.dropped(party, step, rows) if party in shares else None,
        depth=run.schedule.depth,
    )
    losses = []
    for position in range(run.schedule.exchanges):
        exchange = run.schedule.exchange(position)
        if exchange.activity is Activity.TRAIN and exchange.step < steps:
            losses.append(oracle.step(run.schedule.rows(exchange), exchange.step, first=exchange.start == 0))
    return losses, oracle


CASES = [
    ("distinct inner sgd", {}, INNER, "sgd"),
    ("distinct left adam", {}, LEFT, "adam"),
    ("rows left sgd", {"distinct": False}, LEFT, "sgd"),
    ("rows inner adam", {"distinct": False}, INNER, "adam"),
    ("distinct mixed sgd pipelined", {"schedule": PIPELINED}, MIXED, "sgd"),
    ("rows left adam pipelined", {"schedule": PIPELINED, "distinct": False}, LEFT, "adam"),
    ("distinct inner adam dropout", {"party_dropout": {ALICE: 0.3, CHARLIE: 0.1}}, INNER, "adam"),
    ("distinct left sgd dropout pipelined", {"schedule": PIPELINED, "party_dropout": {ALICE: 0.5}}, LEFT, "sgd"),
]


@pytest.mark.parametrize(("training", "kinds", "optimizer"), [one[1:] for one in CASES], ids=[one[0] for one in CASES])
def test_losses_and_weights_are_those_of_one_model_over_the_joined_table(make_run, training, kinds, optimizer):
    run = make_run(make_tables(kinds), training, optimizer=optimizer, absent=absent_of(kinds, training))
    losses = [one.loss for one in run.train(STEPS)]
    expected, oracle = oracle_losses(run, STEPS, optimizer)
    assert len(losses) == STEPS
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-5)
    for name, model in run.models.items():
        for one, other in zip(model.trainable_variables, oracle.models[name].trainable_variables, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=2e-5, err_msg=f"{name} {one.path}")
    for party, vectors in oracle.absent.items():
        for name, vector in vectors.items():
            trained = run.absent_model.get_layer(f"{party}.{name}").kernel.numpy()[0]
            np.testing.assert_allclose(trained, vector.numpy(), rtol=1e-4, atol=2e-5)
            assert np.abs(trained).max() > 1e-3
