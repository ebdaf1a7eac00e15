"""Initial weights have the laws of their Keras initializers, and come from the party's secret alone."""

import keras
import numpy as np
import pytest

from party.errors import ModelError
from party.models.initial_weights import SEED_STATE, draw_initial_weights
from party.security.randomness import secret_stream

SECRET, OTHER_SECRET = bytes(32), bytes([1]) * 32
FAN_IN, FAN_OUT = 300, 200


def model_with(initializer, units=FAN_OUT, inputs=FAN_IN, dropout=0.0):
    given = keras.Input((inputs,))
    hidden = keras.layers.Dense(units, kernel_initializer=initializer, name="dense")(given)
    if dropout:
        hidden = keras.layers.Dropout(dropout)(hidden)
    return keras.Model(given, hidden)


def draw(initializer, secret=SECRET, seed=0, stream="base", **shape):
    model = model_with(initializer, **shape)
    draw_initial_weights(model, secret_stream(secret, seed, stream))
    return model.get_layer("dense").kernel.numpy()


UNIFORM = {
    "glorot_uniform": np.sqrt(6 / (FAN_IN + FAN_OUT)),
    "he_uniform": np.sqrt(6 / FAN_IN),
    "lecun_uniform": np.sqrt(3 / FAN_IN),
    "random_uniform": 0.05,
}
NORMAL = {  # deviation; Keras cuts those that scale with a fan at two deviations of the uncut normal
    "glorot_normal": np.sqrt(2 / (FAN_IN + FAN_OUT)),
    "he_normal": np.sqrt(2 / FAN_IN),
    "lecun_normal": np.sqrt(1 / FAN_IN),
    "random_normal": 0.05,
}
CORRECTION = 0.87962566103423978


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_initializer_fills_its_range_evenly(name):
    values, limit = draw(name), UNIFORM[name]
    assert np.abs(values).max() <= limit
    assert np.abs(values).max() > 0.999 * limit
    assert values.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert abs(values.mean()) < 0.02 * limit
    counts, _ = np.histogram(values, bins=10, range=(-limit, limit))
    assert counts.min() > 0.93 * values.size / 10


@pytest.mark.parametrize("name", NORMAL)
def test_normal_initializer_has_its_deviation(name):
    values, deviation = draw(name), NORMAL[name]
    assert values.std() == pytest.approx(deviation, rel=0.02)
    assert abs(values.mean()) < 0.02 * deviation
    largest = np.abs(values).max() / deviation
    if name == "random_normal":
        assert largest > 3.5
        assert np.mean(np.abs(values) < deviation) == pytest.approx(0.6827, abs=0.01)
    else:
        assert 1.95 / CORRECTION < largest <= 2.0001 / CORRECTION


@pytest.mark.parametrize("name", [*UNIFORM, *NORMAL])
def test_distribution_is_that_of_keras(name):
    theirs_initializer = keras.initializers.get({"class_name": name, "config": {"seed": 1}})
    ours, theirs = draw(name), theirs_initializer((FAN_IN, FAN_OUT)).numpy()
    assert ours.dtype == theirs.dtype == np.float32
    # Two samples of one distribution, of this size, lie further apart once in a thousand times.
    assert largest_gap(ours, theirs) < 1.95 * np.sqrt(2 / ours.size)
    assert largest_gap(ours * 1.05, theirs) > 1.95 * np.sqrt(2 / ours.size)


def largest_gap(one, other):
    """Largest difference of two empirical distribution functions (Kolmogorov and Smirnov)."""
    places = np.concatenate([one.ravel(), other.ravel()])
    shares = [
        np.searchsorted(np.sort(sample, axis=None), places, side="right") / sample.size for sample in (one, other)
    ]
    return np.abs(shares[0] - shares[1]).max()


@pytest.mark.parametrize(
    ("initializer", "value"),
    [("zeros", 0.0), ("ones", 1.0), (keras.initializers.Constant(0.25), 0.25)],
)
def test_constant_initializer_is_kept(initializer, value):
    assert (draw(initializer) == value).all()


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 20), ("fan_out", 2000), ("fan_avg", 1010)])
def test_modes_scale_with_their_fan(mode, fan):
    initializer = keras.initializers.VarianceScaling(2.0, mode, "untruncated_normal")
    values = draw(initializer, inputs=20, units=2000)
    assert values.var() == pytest.approx(2.0 / fan, rel=0.05)


def test_embeddings_are_drawn_as_keras_draws_them():
    ids = keras.Input((1,), dtype="int32")
    model = keras.Model(ids, keras.layers.Embedding(3000, 8, name="factors")(ids))
    draw_initial_weights(model, secret_stream(SECRET, 0, "base"))
    values = model.get_layer("factors").embeddings.numpy()
    assert np.abs(values).max() <= 0.05
    assert values.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.02)


def weights_of(secret=SECRET, seed=0, stream="base"):
    model = model_with("glorot_uniform", units=5, inputs=4, dropout=0.5)
    draw_initial_weights(model, secret_stream(secret, seed, stream))
    (state,) = [state.numpy() for state in model.non_trainable_variables if state.name == SEED_STATE]
    return model.get_layer("dense").kernel.numpy(), state


def test_same_secret_seed_and_stream_give_the_same_weights():
    for one, other in zip(weights_of(), weights_of(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("change", [{"secret": OTHER_SECRET}, {"seed": 1}, {"stream": "fuse"}])
def test_another_secret_seed_or_stream_gives_other_weights_and_dropout(change):
    for one, other in zip(weights_of(), weights_of(**change), strict=True):
        assert (one != other).all()


def test_weights_do_not_depend_on_keras_own_seed():
    keras.utils.set_random_seed(1)
    first = weights_of()
    keras.utils.set_random_seed(2)
    np.testing.assert_array_equal(first[0], weights_of()[0])


def test_every_weight_is_drawn_apart():
    given = keras.Input((6,))
    hidden = keras.layers.Dense(6, name="one")(given)
    model = keras.Model(given, keras.layers.Dense(6, name="two")(hidden))
    draw_initial_weights(model, secret_stream(SECRET, 0, "base"))
    assert (model.get_layer("one").kernel.numpy() != model.get_layer("two").kernel.numpy()).all()


def test_batch_normalization_starts_as_keras_starts_it():
    given = keras.Input((3,))
    model = keras.Model(given, keras.layers.BatchNormalization(name="normalization")(given))
    draw_initial_weights(model, secret_stream(SECRET, 0, "base"))
    layer = model.get_layer("normalization")
    assert (layer.gamma.numpy() == 1).all()
    assert (layer.beta.numpy() == 0).all()
    assert (layer.moving_variance.numpy() == 1).all()


@pytest.mark.parametrize(
    ("initializer", "name"),
    [("orthogonal", "Orthogonal"), ("identity", "Identity"), (keras.initializers.TruncatedNormal(), "TruncatedNormal")],
)
def test_initializer_that_cannot_be_drawn_from_a_secret_is_refused(initializer, name):
    with pytest.raises(ModelError, match=f"^weight dense/kernel: initializer {name} cannot be drawn") as caught:
        draw(initializer, units=4, inputs=4)
    assert "expected Zeros, Ones, Constant" in str(caught.value)
