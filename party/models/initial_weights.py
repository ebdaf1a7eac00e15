"""Initial weights drawn from a party's own secret.

If others can guess the initial weights, they can read whole rows off the first
hidden; the 32 bits of a Keras seed can be searched. So this module draws the
values of the Keras initializers itself, from a 128-bit key.
"""

from __future__ import annotations

import math

import keras
import numpy as np
import numpy.typing as npt

from party.errors import ModelError

SEED_STATE = "seed_generator_state"
TRUNCATION = 2.0  # standard deviations at which Keras truncates a normal distribution
TRUNCATION_CORRECTION = 0.87962566103423978  # standard deviation of a unit normal truncated there


def draw_initial_weights(model: keras.Model, generator: np.random.Generator) -> None:
    """Draws new values for every weight of a model by its own initializer.

    Args:
        model: a built model; its seed generators' states are drawn too.
        generator: source of randomness, seeded from a secret of the party.

    Raises:
        ModelError: the initializer of a weight is not supported.
    """
    for layer in innermost_layers(model):
        for weight in layer._trainable_variables:  # its own, without those of inner layers
            initializer = getattr(layer, f"{weight.name}_initializer", None)
            weight.assign(_draw(initializer, weight, generator))
    for state in model.non_trainable_variables:
        if state.name == SEED_STATE:
            state.assign(generator.integers(0, 2**32, size=state.shape, dtype=np.uint32))


def innermost_layers(model: keras.Model) -> list[keras.Layer]:
    """All layers of a model, inner layers included, each after the layer that contains it."""
    return list(model._flatten_layers(include_self=False))


def _draw(initializer: object, weight: keras.Variable, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    shape = tuple(weight.shape)
    match initializer:
        case keras.initializers.Zeros() | keras.initializers.Ones() | keras.initializers.Constant():
            return np.asarray(initializer(shape), np.float32)
        case keras.initializers.RandomUniform():
            return generator.uniform(initializer.minval, initializer.maxval, shape).astype(np.float32)
        case keras.initializers.RandomNormal():
            return generator.normal(initializer.mean, initializer.stddev, shape).astype(np.float32)
        case keras.initializers.VarianceScaling():
            return _variance_scaling(initializer, shape, generator)
    raise ModelError(
        f"initializer {type(initializer).__name__} cannot be drawn from the party's secret",
        where=f"weight {weight.path}",
        expected="Zeros, Ones, Constant, RandomUniform, RandomNormal or a VarianceScaling such as GlorotUniform",
    )


def _variance_scaling(
    initializer: keras.initializers.VarianceScaling, shape: tuple[int, ...], generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    fan_in, fan_out = _fans(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[initializer.mode]
    variance = initializer.scale / max(1.0, fan)
    if initializer.distribution == "uniform":
        limit = math.sqrt(3.0 * variance)
        return generator.uniform(-limit, limit, shape).astype(np.float32)
    deviation = math.sqrt(variance)
    if initializer.distribution == "truncated_normal":
        return (_truncated_normal(shape, generator) * deviation / TRUNCATION_CORRECTION).astype(np.float32)
    return generator.normal(0.0, deviation, shape).astype(np.float32)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs of a kernel, as Keras counts them: leading axes beyond two are a receptive field."""
    if len(shape) == 1:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _truncated_normal(shape: tuple[int, ...], generator: np.random.Generator) -> npt.NDArray[np.float64]:
    values = generator.standard_normal(shape)
    outside = np.abs(values) > TRUNCATION
    while outside.any():
        values[outside] = generator.standard_normal(int(outside.sum()))
        outside = np.abs(values) > TRUNCATION
    return values
