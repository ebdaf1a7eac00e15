"""The oracle of local updates itself: against the joined model where nothing is used again, and by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.local_oracle import LocalUpdatesOracle, planned_draws
from tests.support.oracle_cases import make_oracle, parties_of, random_weights, write_files
from tests.support.pipelined_oracle import PipelinedOracle

STEPS = 5  # of three in an epoch


class Recorder:
    """An optimizer that keeps gradients and changes nothing."""

    def __init__(self):
        self.updates = []

    def apply_gradients(self, pairs):
        self.updates.append([tf.convert_to_tensor(gradient).numpy() for gradient, _ in pairs])


@pytest.fixture
def make(tmp_path):
    """Makes the joined model of two small files, always the same."""
    write_files(tmp_path)
    weights = random_weights({"shop": 6, "bank": 5}, "bank", {"shop": 2, "bank": 2})
    return lambda optimizer=None: make_oracle(parties_of(tmp_path), weights, optimizer)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("optimizer", [lambda: keras.optimizers.SGD(0.1), lambda: keras.optimizers.Adam(0.01)])
def test_where_nothing_is_used_again_it_is_the_joined_model(make, depth, optimizer):
    joined, cut = make(optimizer), make(optimizer)
    expected = joined.train(STEPS) if depth == 1 else PipelinedOracle(joined, depth).train(STEPS)
    received = LocalUpdatesOracle(cut, depth, steps=3, window=3, uses=0, minimum_cosine=0.5).train(STEPS)
    np.testing.assert_allclose(received, expected, rtol=1e-6)
    for party, weights in joined.weights().items():
        for key, array in weights.items():
            np.testing.assert_allclose(cut.weights()[party][key], array, atol=1e-6, err_msg=f"{party}: {key}")


@pytest.mark.parametrize("minimum_cosine", [None, 0.5])
@pytest.mark.parametrize("changes", [{}, {"embedding_l2": 0.1}, {"positive_weight": 3.0}])
def test_on_unchanged_weights_a_local_step_is_the_step_again(make, minimum_cosine, changes):
    """Every cosine is 1 there."""
    oracle = make(Recorder)
    LocalUpdatesOracle(oracle, 1, steps=2, window=1, uses=2, minimum_cosine=minimum_cosine, **changes).train(2)
    for party, recorder in oracle._optimizers.items():
        updates = recorder.updates
        assert len(updates) == 6
        assert any(np.abs(updates[0][place] - updates[3][place]).max() > 1e-3 for place in range(len(updates[0])))
        for number, update in enumerate(updates):
            for received, expected in zip(update, updates[3 * (number // 3)], strict=True):
                np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-6, err_msg=party)


def test_penalties_and_weights_of_rows_are_in_the_gradients(make):
    oracles = {name: make(Recorder) for name in ("plain", "penalised", "weighted")}
    changes = {"plain": {}, "penalised": {"embedding_l2": 0.1}, "weighted": {"positive_weight": 3.0}}
    for name, oracle in oracles.items():
        LocalUpdatesOracle(oracle, 1, 1, 1, 0, None, **changes[name]).train(1)
    factors = oracles["plain"]._variables["shop"]["base/factors"]
    plain, penalised, weighted = (oracle._optimizers["shop"].updates[0] for oracle in oracles.values())
    for place, variable in enumerate(factors):
        np.testing.assert_allclose(penalised[place] - plain[place], 0.2 * variable.numpy(), rtol=1e-4, atol=1e-6)
    rows = oracles["plain"].batch_rows(0)
    labels = oracles["plain"].labels[rows]
    logits = oracles["plain"].logits(rows)
    bias = oracles["weighted"]._optimizers["bank"].updates[0][-1]  # of the logit: the sum of its derivatives
    by_hand = np.mean(np.where(labels == 1, 3.0, 1.0) * (1 / (1 + np.exp(-logits)) - labels))
    np.testing.assert_allclose(bias, [by_hand], rtol=1e-4)
    assert any(np.abs(one - other).max() > 1e-3 for one, other in zip(plain, weighted, strict=True))


def test_what_rows_count(make):
    now = np.array([[2, 0], [0, 0], [1, 1], [-1, 0], [3, 4]], np.float32)
    then = np.array([[7, 0], [1, 0], [2, 0], [1, 0], [0, 1]], np.float32)
    half = np.float32(0.5**0.5)
    for minimum_cosine, expected in [(None, [1] * 5), (0.0, [1, 0, half, 0, 0.8]), (0.75, [1, 0, 0, 0, 0.8])]:
        oracle = LocalUpdatesOracle(make(), 1, 1, 1, 1, minimum_cosine)
        np.testing.assert_allclose(oracle._trust("shop", now, then), expected, rtol=1e-6)


def test_rows_of_local_steps_weigh_what_they_count(make, monkeypatch):
    """With one row of weight 1 and the others dropped, a party's update is that row's alone."""
    oracle = make(Recorder)
    local = LocalUpdatesOracle(oracle, 1, 1, 1, 1, 0.5)
    monkeypatch.setattr(local, "_trust", lambda party, now, then: np.eye(len(now), dtype=np.float32)[2])
    local.train(1)
    rows = oracle.batch_rows(0)
    _, alone = oracle.raw_gradients(rows[2:3])
    for party, by_key in alone.items():
        expected = [tf.convert_to_tensor(one).numpy() / len(rows) for pieces in by_key.values() for one in pieces]
        for received, one in zip(oracle._optimizers[party].updates[1], expected, strict=True):
            np.testing.assert_allclose(received, one, rtol=1e-4, atol=1e-6, err_msg=party)


def test_plan_by_hand():
    """Of two batches the one that was drawn last rests; a third use is never made."""
    assert planned_draws(bytes(32), 4, steps=3, window=2, uses=2) == [[0], [1, 0, 1], [2], [3, 2, 3]]
    assert planned_draws(bytes(32), 3, steps=4, window=1, uses=2) == [[0, 0], [1, 1], [2, 2]]
    assert planned_draws(bytes(32), 3, steps=4, window=3, uses=0) == [[], [], []]
