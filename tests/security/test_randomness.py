"""What a first hidden gives away: all rows where the initial weights can be guessed, next to none where they cannot."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.configuration.models import DeepFMModel
from party.models.assembly import base_specs, build_base
from party.models.embedding import INDICES, VALUES
from party.models.initial_weights import draw_initial_weights
from party.models.storage import named_weights
from party.security.randomness import SECRET_BYTES, secret_stream
from tests.support.layouts import layout_of

SEED = 5
SECRET = bytes(range(SECRET_BYTES))
SIZES = {"gender": 2, "age": 7, "occupation": 21}  # embedding rows of each feature; 294 people at most are told apart
ROWS = 500
SECTION = DeepFMModel(embedding_dimension=8, units=(16, 8))
LAYOUT = layout_of(SECTION, [1] * len(SIZES), sum(SIZES.values()))
NEARLY_ALL = 0.95
GUESSES = {
    "no secret": bytes(SECRET_BYTES),
    "another party's secret": bytes(reversed(SECRET)),
    "one bit of the secret": bytes([SECRET[0] ^ 1, *SECRET[1:]]),
}


def base(secret, seed=SEED, stream="base"):
    model = build_base(LAYOUT)
    draw_initial_weights(model, secret_stream(secret, seed, stream))
    return model


def packed(combinations):
    """Every feature's value as a row of the common table, as a party packs them."""
    offsets = np.cumsum([0, *list(SIZES.values())[:-1]])
    indices = (np.asarray(combinations) + offsets).astype(np.int32)
    return {INDICES: indices, VALUES: np.ones(indices.shape, np.float32)}


ALL_COMBINATIONS = np.array(list(itertools.product(*(range(size) for size in SIZES.values()))))


def hiddens(secret, combinations, **stream):
    """The first hiddens of rows, side by side: float32 (rows, units of all hiddens)."""
    named = base(secret, **stream)(packed(combinations), training=False)
    return np.concatenate([named[spec.name].numpy() for spec in base_specs(LAYOUT)], axis=1)


@pytest.fixture(scope="module")
def people():
    generator = np.random.default_rng(1)
    return np.stack([generator.integers(0, size, ROWS) for size in SIZES.values()], axis=1)


@pytest.fixture(scope="module")
def seen(people):
    """What the label party opens at the first step."""
    return hiddens(SECRET, people)


def recovered(seen, people, guess, **stream):
    """Share of rows of which an attacker who guesses a secret reads every feature, by the nearest of all hiddens."""
    table = hiddens(guess, ALL_COMBINATIONS, **stream)
    scale = table.std(axis=0) + 1e-12
    distances = np.linalg.norm(seen[:, None] / scale - table[None] / scale, axis=2)
    return float((ALL_COMBINATIONS[distances.argmin(axis=1)] == people).all(axis=1).mean())


def chance(rows):
    """A share that guessing blindly exceeds about never: five deviations above one of all combinations."""
    share = 1 / len(ALL_COMBINATIONS)
    return share + 5 * np.sqrt(share * (1 - share) / rows)


def test_whoever_knows_the_secret_reads_nearly_all_rows(seen, people):
    """The control: the attack works, so that its failure below means something."""
    assert recovered(seen, people, SECRET) > NEARLY_ALL


@pytest.mark.parametrize("guess", GUESSES)
def test_the_shared_seed_alone_reads_next_to_none(seen, people, guess):
    assert recovered(seen, people, GUESSES[guess]) < chance(ROWS)


@pytest.mark.parametrize("stream", [{"seed": SEED + 1}, {"stream": "fuse"}], ids=str)
def test_other_runs_and_models_of_the_same_party_tell_nothing(seen, people, stream):
    assert recovered(seen, people, SECRET, **stream) < chance(ROWS)


def test_every_random_weight_depends_on_the_secret():
    own, guessed, again = base(SECRET), base(bytes(SECRET_BYTES)), base(SECRET)
    constant = []
    for name, weight in named_weights(own).items():
        assert np.array_equal(weight.numpy(), named_weights(again)[name].numpy()), name
        if np.array_equal(weight.numpy(), named_weights(guessed)[name].numpy()):
            constant.append(name)
            assert not weight.numpy().any(), name
    assert {name.rpartition("/")[2] for name in constant} <= {"bias", "linear"}, "what starts as zero, and nothing else"


@given(
    secrets=st.tuples(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32)),
    seeds=st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)),
    streams=st.tuples(st.text(max_size=8), st.text(max_size=8)),
)
def test_streams_are_equal_only_where_secret_seed_and_name_are(secrets, seeds, streams):
    first, second = (secret_stream(*arguments).bytes(32) for arguments in zip(secrets, seeds, streams, strict=True))
    same = secrets[0] == secrets[1] and seeds[0] == seeds[1] and streams[0] == streams[1]
    assert (first == second) == same
    assert first == secret_stream(secrets[0], seeds[0], streams[0]).bytes(32)
