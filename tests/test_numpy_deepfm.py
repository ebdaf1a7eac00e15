"""The derivatives by hand, against numbers on paper and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.oracle import numpy_deepfm_loss_and_gradients
from tests.support.oracle_cases import as_float64, assert_same, central_differences, random_weights


def ones_case():
    """Two parties, two features each, every weight, bias and value 1, one unit a layer, one row."""

    def base():
        return {
            "base/factors": np.ones((2, 2)),
            "base/linear": np.ones((2, 1)),
            "base/dense_0/kernel": np.ones((4, 1)),
            "base/dense_0/bias": np.ones(1),
        }

    fuse = {"fuse/dense_0/kernel": np.ones((2, 1)), "fuse/dense_0/bias": np.ones(1)}
    fuse |= {"fuse/logit/kernel": np.ones((1, 1)), "fuse/logit/bias": np.ones(1)}
    return {"a": base(), "b": base() | fuse}


def test_all_ones_on_paper():
    """The numbers of a row without any computer.

    Four entries (1, 1): six pairs of product 2, FM = 12; by the identity ½(‖(4, 4)‖² − 4 · 2) = ½(32 − 8) = 12.
    Linear: 4. Base: 4 · 1 + 1 = 5 at each party; fuse: 5 + 5 + 1 = 11; logit of the deep part: 11 + 1 = 12.
    z = 4 + 12 + 12 = 28; with y = 0, L = z + log(1 + e⁻²⁸) and d = sigmoid(28), both 1 and 28 up to 1e-12.
    ∂L/∂e = S − e + 1 from the deep part = 4 − 1 + 1 = 4.
    """
    places, ones = {p: np.array([[0, 1]]) for p in "ab"}, {p: np.ones((1, 2)) for p in "ab"}
    loss, logits, gradients, hidden = numpy_deepfm_loss_and_gradients(ones_case(), places, ones, np.zeros(1))
    assert logits.tolist() == [28.0]
    assert loss == pytest.approx(28, abs=1e-11)
    base = {
        "base/factors": np.full((2, 2), 4.0),
        "base/linear": np.ones((2, 1)),
        "base/dense_0/kernel": np.ones((4, 1)),
        "base/dense_0/bias": np.ones(1),
    }
    fuse = {"fuse/dense_0/kernel": np.full((2, 1), 5.0), "fuse/dense_0/bias": np.ones(1)}
    fuse |= {"fuse/logit/kernel": np.full((1, 1), 11.0), "fuse/logit/bias": np.ones(1)}
    assert_same(gradients, {"a": base, "b": base | fuse}, 0, 1e-10)
    expected = {"deep": [[1.0]], "factor_sum": [[4.0, 4.0]], "factor_square": [[-0.5]], "linear": [[1.0]]}
    assert_same(hidden, {"a": expected, "b": expected}, 0, 1e-10)
    loss, _, gradients, _ = numpy_deepfm_loss_and_gradients(ones_case(), places, ones, np.ones(1))
    assert loss == pytest.approx(math.exp(-28), rel=1e-9)
    assert abs(gradients["b"]["fuse/logit/kernel"]).max() < 1e-10


@pytest.mark.parametrize("fuse_units", [[5], [4, 2]])
def test_derivatives_by_hand_equal_finite_differences(fuse_units):
    generator = np.random.default_rng(2)
    sizes = {"a": 4, "b": 3}
    weights = as_float64(random_weights(sizes, "b", {"a": 2, "b": 2}, base_units=[3], fuse_units=fuse_units))
    indices = {"a": np.array([[0, 2], [0, 3], [1, 2]]), "b": np.array([[0, 1], [0, 2], [0, 1]])}  # repeated ids
    values = {p: generator.normal(0, 1, (3, 2)) for p in sizes}
    labels = np.array([1.0, 0.0, 1.0])

    def run():
        return numpy_deepfm_loss_and_gradients(weights, indices, values, labels)

    _, _, gradients, _ = run()
    assert all(abs(array).max() > 1e-3 for arrays in gradients.values() for array in arrays.values())
    assert_same(gradients, central_differences(lambda: run()[0], weights), 1e-6, 1e-8)


def test_hidden_gradients_chain_to_the_weight_gradients():
    """linear_p = Σ w x, so Σ_rows ∂L/∂linear_p x must be ∂L/∂w; the last base bias must get Σ_rows ∂L/∂deep."""
    weights = as_float64(random_weights({"a": 4, "b": 3}, "b", {"a": 2, "b": 2}, base_units=[3]))
    for party in "ab":
        weights[party]["base/dense_0/bias"] += 50  # every unit active
    indices = {"a": np.array([[0, 2], [0, 3]]), "b": np.array([[0, 1], [0, 2]])}
    values = {"a": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.ones((2, 2))}
    _, _, gradients, hidden = numpy_deepfm_loss_and_gradients(weights, indices, values, np.array([0.0, 1.0]))
    first, second = hidden["a"]["linear"][:, 0]
    np.testing.assert_allclose(gradients["a"]["base/linear"][:, 0], [first + 3 * second, 0, 2 * first, 4 * second])
    for party in "ab":
        np.testing.assert_allclose(gradients[party]["base/dense_0/bias"], hidden[party]["deep"].sum(axis=0))
