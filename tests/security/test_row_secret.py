"""The key of a run's order of rows: what it depends on, and what a coordinator that knows everything else can say."""

import itertools

import pytest

from party.security.row_secret import RowSecret, fresh_row_secret, pinned_row_secret
from tests.support.row_keys import pinned_row_key, row_key

SECRET = bytes(range(32))
RUN_ID = bytes(range(100, 116))


def test_fresh_secret_gives_the_key_of_the_definition():
    secret = fresh_row_secret(lambda count: SECRET[:count])
    assert secret == RowSecret(SECRET, pinned=False)
    assert secret.run_key(RUN_ID, 5) == row_key(SECRET, RUN_ID, 5)


def test_secret_seed_and_run_each_change_the_key():
    keys = {
        RowSecret(secret, pinned=False).run_key(run_id, seed)
        for secret, run_id, seed in itertools.product((SECRET, bytes(32)), (RUN_ID, bytes(16)), (0, 2**63 - 1))
    }
    assert len(keys) == 8
    assert {len(key) for key in keys} == {32}


@pytest.mark.parametrize("dataset", ["train", "test"])
def test_pinned_secret_gives_every_run_of_one_seed_the_same_key(dataset):
    secret = pinned_row_secret(SECRET, dataset)
    assert secret.pinned
    assert secret.run_key(RUN_ID, 5) == secret.run_key(bytes(16), 5) == pinned_row_key(SECRET.hex(), dataset, 5)
    assert secret.run_key(RUN_ID, 6) != secret.run_key(RUN_ID, 5)


def test_datasets_have_secrets_of_their_own():
    secrets = {pinned_row_secret(SECRET, dataset).secret for dataset in ("train", "test")}
    assert len(secrets | {SECRET}) == 3


def test_a_secret_is_not_shown():
    assert SECRET.hex() not in repr(RowSecret(SECRET, pinned=False))
    assert repr(SECRET) not in repr(RowSecret(SECRET, pinned=False))
