"""The loss of drawn labels: its formula by hand, its limits, and that it is least where the true labels are."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from party.configuration.labels import BinaryLabel, MultiClassLabel, RegressionLabel
from party.data.labels import LabelNoise
from party.models.row_losses import row_loss

CLASSES = ("a", "b", "c", "d")
BINARY = BinaryLabel(rule="r > 3")
MULTI_CLASS = MultiClassLabel(kind="multi_class", column="c", classes=CLASSES)
LOGITS = np.array([-90.0, -20.0, -3.0, -0.2, 0.0, 0.7, 4.0, 20.0, 90.0], np.float32)
REPLACEMENTS = (1e-6, 0.1, 0.5378828427399902, 0.98)


def losses_and_gradients(loss, labels, outputs):
    outputs = tf.constant(outputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        by_row = loss(tf.constant(labels, tf.float32), outputs)
    return by_row.numpy(), tape.gradient(by_row, outputs).numpy()


def binary_by_hand(replacement, labels, logits):
    """Values and derivatives in float64: −ln((1 − w) p_y + w / 2), with p_y the probability of the drawn class."""
    z = logits.astype(np.float64)
    p, other = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
    drawn, sign = np.where(labels == 1, p, other), np.where(labels == 1, 1.0, -1.0)
    likelihood = (1 - replacement) * drawn + replacement / 2
    return -np.log(likelihood), -(1 - replacement) * sign * p * other / likelihood


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_binary_loss_and_its_derivative_are_the_formulas(replacement):
    loss = row_loss(BINARY, "bank", LabelNoise(replacement, 2))
    for label in (0.0, 1.0):
        labels = np.full(len(LOGITS), label)
        values, gradients = losses_and_gradients(loss, labels, LOGITS[:, None])
        expected, derivatives = binary_by_hand(replacement, labels, LOGITS)
        np.testing.assert_allclose(values, expected, rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(gradients[:, 0], derivatives, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_loss_of_several_classes_and_its_derivatives_are_the_formulas(replacement):
    generator = np.random.default_rng(3)
    outputs = (generator.normal(0, 3, (40, len(CLASSES))) * generator.choice([1, 20], (40, 1))).astype(np.float32)
    labels = generator.integers(0, len(CLASSES), 40)
    values, gradients = losses_and_gradients(
        row_loss(MULTI_CLASS, "bank", LabelNoise(replacement, len(CLASSES))), labels, outputs
    )
    powers = np.exp(outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True))
    p = powers / powers.sum(axis=1, keepdims=True)
    drawn = p[np.arange(40), labels]
    likelihood = (1 - replacement) * drawn + replacement / len(CLASSES)
    one_hot = np.eye(len(CLASSES))[labels]
    derivatives = -((1 - replacement) * drawn / likelihood)[:, None] * (one_hot - p)
    np.testing.assert_allclose(values, -np.log(likelihood), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(gradients, derivatives, rtol=1e-3, atol=2e-6)


@given(st.floats(0.02, 0.98), st.floats(0.05, 0.95))
@settings(max_examples=30, deadline=None)
def test_expected_loss_over_draws_is_least_at_the_true_probability(probability, replacement):
    """Its derivative vanishes where the model's probability is that of the *true* label."""
    logit = np.log(probability / (1 - probability))
    loss = row_loss(BINARY, "bank", LabelNoise(replacement, 2))
    _, gradients = losses_and_gradients(loss, [0.0, 1.0], np.full((2, 1), logit))
    drawn = (1 - replacement) * probability + replacement / 2
    assert (1 - drawn) * gradients[0, 0] + drawn * gradients[1, 0] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(("label", "symbols"), [(BINARY, 2), (MULTI_CLASS, len(CLASSES))])
def test_without_replacement_it_is_the_loss_of_true_labels(label, symbols):
    generator = np.random.default_rng(5)
    outputs = generator.normal(0, 2, (30, label.units)).astype(np.float32)
    labels = generator.integers(0, symbols, 30)
    corrected = losses_and_gradients(row_loss(label, "bank", LabelNoise(1e-9, symbols)), labels, outputs)
    exact = losses_and_gradients(row_loss(label, "bank", None), labels, outputs)
    for one, other in zip(corrected, exact, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_it_has_a_lower_bound_and_an_upper_one():
    """A row whose draw is false costs at most −ln(w / 2), so noise is not learned by heart."""
    loss = row_loss(BINARY, "bank", LabelNoise(0.5, 2))
    values, gradients = losses_and_gradients(loss, [0.0, 1.0], [[1e4], [1e4]])
    np.testing.assert_allclose(values, [-np.log(0.25), -np.log(0.75)], rtol=1e-6)
    np.testing.assert_array_equal(gradients, 0.0)


def test_a_drawn_number_has_the_squared_error():
    label = RegressionLabel(kind="regression", column="n")
    values, gradients = losses_and_gradients(row_loss(label, "bank", LabelNoise(0.4, 3)), [4.0, -2.0], [[1.0], [0.5]])
    np.testing.assert_allclose(values, [9.0, 6.25])
    np.testing.assert_allclose(gradients[:, 0], [-6.0, 5.0])
