"""Split training equals joint training, step for step: 2 and 3 parties, with and without own features."""

import numpy as np
import pytest

from coordinator import connect
from tests.support.joined_federations import (
    FEDERATIONS,
    LEARNING_RATES,
    LOSS_TOLERANCE,
    OPTIMIZERS,
    WEIGHT_TOLERANCE,
    make_oracle,
)

STEPS = 100
CASES = [(federation, optimizer) for federation in FEDERATIONS for optimizer in ("adam", "sgd")]


@pytest.mark.parametrize(("federation", "optimizer"), [*CASES, ("two parties", "lazy_adam")])
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
