"""Trains one run of a federation, and returns its results for comparing two runs."""

import numpy as np

from coordinator import connect


def fit(organisations, training=None):
    """Aligns where needed and trains; returns the losses of all steps and the weights of every party."""
    with connect(organisations.write_run(training)) as parties:
        parties.align()
        history = parties.fit()
    return results(organisations, history)


def results(organisations, history):
    """The losses of all steps and the weights of every party."""
    return history.step_loss, {name: organisations.weights(name, history.run_id) for name in organisations.names}


def expect_same_bits(one, other):
    assert one[0], "nothing was trained"
    assert one[0] == other[0]
    assert set(one[1]) == set(other[1])
    for name, weights in one[1].items():
        assert set(weights) == set(other[1][name])
        for key, array in weights.items():
            np.testing.assert_array_equal(array, other[1][name][key], err_msg=f"{name}: {key}", strict=True)
