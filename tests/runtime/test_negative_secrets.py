"""The secret that negatives are drawn with, in the state folder."""

import os

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.errors import StorageError
from party.runtime.negative_secrets import stored_secret
from tests.support.configuration_cases import label_party


def configuration(folder, pinned=None):
    state = folder / "state"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = validate(PartyConfiguration, {**label_party(), "state": str(state), "pinned_secret": pinned}, "bank.yaml")
    return made, state / "privacy" / "negatives" / "secret"


def test_a_party_that_starts_again_has_its_secret_and_no_other_party_has_it(tmp_path):
    made, path = configuration(tmp_path / "one")
    secret = stored_secret(made, os.urandom)
    assert stored_secret(made, os.urandom) == secret == path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert stored_secret(configuration(tmp_path / "other")[0], os.urandom) != secret
    path.write_bytes(secret[1:])
    with pytest.raises(StorageError, match="is damaged"):
        stored_secret(made, os.urandom)


def test_a_pinned_secret_determines_it_but_is_not_it(tmp_path):
    secrets = {stored_secret(configuration(tmp_path / name, "ab" * 32)[0], os.urandom) for name in ("one", "other")}
    assert len(secrets) == 1
    assert secrets != {bytes.fromhex("ab" * 32)}
    assert stored_secret(configuration(tmp_path / "one", "cd" * 32)[0], os.urandom) not in secrets
