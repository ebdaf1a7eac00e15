"""What one seed and the parties' secrets decide, to the last bit, and what neither gives away."""

import numpy as np

from party.security.randomness import SECRET_BYTES
from tests.support.fitting import expect_same_bits, fit
from tests.support.oracle import philox_permutation
from tests.support.organisations import FEATURES, SMALL_FUSE, SMALL_MODEL, make_frames

TRAINING = {"epochs": 2, "validation_fraction": 0.167, "batch_size": 62}
DROPOUT = {
    "alice": {"model": {**SMALL_MODEL, "dropout": 0.3}},
    "bob": {"model": {**SMALL_MODEL, "dropout": 0.2}, "fuse": {**SMALL_FUSE, "dropout": 0.3}},
}
MODELS = {"plain": {}, "dropout": DROPOUT}


def test_one_seed_and_pinned_secrets_give_the_same_bits(make_organisations):
    first_losses = {}
    for models, overrides in MODELS.items():
        organisations = make_organisations(models, training=TRAINING, overrides=overrides).start_servers()
        first = fit(organisations)
        expect_same_bits(first, fit(organisations))
        first_losses[models] = first[0][0]
    assert first_losses["plain"] != first_losses["dropout"]


def test_other_processes_give_the_same_bits(make_organisations):
    """Parties in this process, and two that are started anew."""
    threads = {"threads": {"intra_operation": 1}}
    overrides = {name: {**one, **threads} for name, one in DROPOUT.items()}
    organisations = make_organisations(training=TRAINING, overrides=overrides).start_servers()
    first = fit(organisations)
    organisations.__exit__()
    organisations.start()
    expect_same_bits(first, fit(organisations))


def test_initial_weights_are_fresh_without_a_pinned_secret(make_organisations):
    overrides = {name: {"pinned_secret": None} for name in ("alice", "bob")}
    organisations = make_organisations(training={**TRAINING, "maximum_steps": 0}, overrides=overrides).start_servers()
    (_, first), (_, second) = fit(organisations), fit(organisations)
    drawn = [("alice", "base/factors"), ("bob", "base/factors"), ("bob", "fuse/dense_0/kernel")]
    for name, key in drawn:
        equal = np.mean(first[name][key] == second[name][key])
        assert equal < 0.01, (name, key)
    secrets = [path.read_text() for path in organisations.folder.glob("alice/state/runs/*/record.json")]
    assert len(secrets) == 2
    assert len({text.split('"secret": "')[1][: 2 * SECRET_BYTES] for text in secrets}) == 2


def test_seed_and_pinned_secret_decide_the_batches(make_organisations):
    """A text of its own in every row: the linear weights that a first step moves tell which rows it took."""
    frames = make_frames(("alice", "bob"))
    alice = frames["alice"]["train"]
    alice["token"] = "token " + alice["ID"]
    features = {"alice": [{"column": "token", "kind": "vocabulary"}], "bob": FEATURES["bob"]}
    training = {"batch_size": 32, "maximum_steps": 1, "optimizer": {"name": "sgd", "learning_rate": 0.5}}
    organisations = make_organisations(features=features, frames=frames, training=training).start_servers()
    common = sorted(set(alice["ID"]) & set(frames["bob"]["train"]["ID"]), key=str.encode)
    batches = {}
    for seed in (5, 6):
        _, weights = fit(organisations, {"seed": seed})
        moved = np.flatnonzero(weights["alice"]["base/linear"][:, 0]) - 2
        expected = philox_permutation(organisations.row_key(seed), "shuffle", 0, len(common))[:32]
        np.testing.assert_array_equal(moved, np.sort(expected))
        batches[seed] = set(moved)
    assert batches[5] != batches[6]
