"""Training over natural tables equals one model over the joined table; absent rows, dropped rows, repeats."""

import dataclasses

import numpy as np
import pytest

from party.cut.hidden import Aggregation
from party.protocol.party_dropout import PartyDropout
from party.protocol.peer_entities import PeerEntities
from party.protocol.presence import Presence
from party.protocol.schedule import Activity, InferenceSchedule
from tests.support.entity_oracle import EntityOracle
from tests.support.entity_run import SECRET, EntityRun, make_models, make_optimizers
from tests.support.entity_tables import ALICE, CHARLIE, KEYS, make_tables
from tests.support.keras_models import LAYOUT, arrays_of, assert_identical, assert_near

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


RESUMED = {
    "synchronous": {"party_dropout": {ALICE: 0.4}},
    "pipelined, codecs with feedback": {
        "schedule": PIPELINED,
        "codecs": {
            "hidden": {"kind": "int8", "error_feedback": True},
            "gradient": {"kind": "topk", "fraction": 0.3, "error_feedback": True},
        },
    },
    "local updates": {"party_dropout": {ALICE: 0.4}, "local_updates": {"steps": 1, "window": 2}},
    "masked sum": {"secure_aggregation": True},
}


@pytest.mark.parametrize("training", RESUMED.values(), ids=RESUMED)
def test_a_run_goes_on_from_a_state_to_the_same_bits(make_run, training):
    """With both kinds of missing rows, and with two heads where there are no local updates."""
    arguments = {"absent": (ALICE, CHARLIE), "optimizer": "adam", "two_heads": "local_updates" not in training}
    whole, second = (make_run(make_tables(LEFT), training, **arguments) for _ in range(2))
    whole.train(6)
    second.set_state(whole.state())
    assert second.train(12) == whole.train(12)
    for name, model in whole.models.items():
        assert_identical(arrays_of(second.models[name]), arrays_of(model))
    assert_identical(arrays_of(second.absent_model), arrays_of(whole.absent_model))


def test_two_heads_drop_the_same_rows(make_run):
    """Both heads are drawn alike and learn from the same labels, so they stay alike."""
    run = make_run(make_tables(LEFT), {"party_dropout": {ALICE: 0.5}}, absent=(ALICE, CHARLIE), two_heads=True)
    run.train(10)
    for name in ("bank", "fuse"):
        assert_near(arrays_of(run.own_models[name]), arrays_of(run.models[name]))
    assert_near(arrays_of(run.own_absent), arrays_of(run.absent_model))


def test_a_masked_sum_of_rows_is_the_sum_of_parts_and_absent_vectors(make_run):
    """Up to the rounding of fixed-point numbers it trains what the oracle of added hiddens trains."""
    tables, sums = make_tables(LEFT), {"secure_aggregation": True}
    masked = make_run(tables, sums, absent=(ALICE, CHARLIE), aggregation=Aggregation.SUM)
    plain = make_run(tables, {"distinct": False}, absent=(ALICE, CHARLIE), aggregation=Aggregation.SUM)
    expected = [one.loss for one in plain.train(30)]
    np.testing.assert_allclose([one.loss for one in masked.train(30)], expected, rtol=0, atol=2e-4)
    for name, model in plain.models.items():
        for one, other in zip(arrays_of(masked.models[name]), arrays_of(model), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-3, err_msg=name)


def test_rows_are_dropped_by_party_step_and_secret_alone():
    dropout = PartyDropout({ALICE: 0.3, CHARLIE: 0.0}, SECRET, 4)
    assert dropout.drops(ALICE) and not dropout.drops(CHARLIE)
    drawn = [dropout.dropped(ALICE, step, 500) for step in range(20)]
    again = PartyDropout({ALICE: 0.3, CHARLIE: 0.5}, SECRET, 4)
    np.testing.assert_array_equal(again.dropped(ALICE, 7, 500), drawn[7])
    assert abs(np.mean(drawn) - 0.3) < 0.02
    others = [
        drawn[6],
        again.dropped(CHARLIE, 7, 500),
        PartyDropout({ALICE: 0.3}, bytes(32), 4).dropped(ALICE, 7, 500),
        PartyDropout({ALICE: 0.3}, SECRET, 5).dropped(ALICE, 7, 500),
    ]
    assert all((other != drawn[7]).any() for other in others)


def test_dropped_rows_send_no_gradient_and_held_out_rows_are_never_dropped(make_run):
    run = make_run(make_tables(INNER), {"party_dropout": {ALICE: 0.5}}, absent=(ALICE,))
    exchange = run.schedule.exchange(0)
    rows = run.schedule.rows(exchange)
    present = run.presence.of(exchange, rows)[ALICE]
    assert 0 < present.sum() < len(rows)
    hiddens = {party: np.ones((len(rows), LAYOUT.columns), np.float32) for party in (*KEYS, "bank")}
    gradients = run.halves.fuse.gradients(rows, hiddens, {ALICE: present}).gradients
    assert (gradients[ALICE][~present] == 0).all()
    assert (gradients[ALICE][present] != 0).any() and (gradients[CHARLIE][~present] != 0).any()
    outside = dataclasses.replace(exchange, activity=Activity.VALIDATE)
    assert run.presence.of(outside, rows)[ALICE].all()


def test_a_party_that_is_away_is_absent_in_all_rows():
    away = Presence((ALICE,), away=(ALICE,))
    exchange = InferenceSchedule(5, 5).exchange(0)
    rows = np.arange(5, dtype=np.int32)
    assert not away.of(exchange, rows)[ALICE].any()
    entities = PeerEntities(5, away={ALICE: LAYOUT})
    hiddens = entities.expand({CHARLIE: np.ones((5, 2), np.float32)}, rows)
    assert hiddens[ALICE].shape == (5, LAYOUT.columns)
    assert not hiddens[ALICE].any() and hiddens[CHARLIE].all()
