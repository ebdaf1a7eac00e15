"""What a run depends on at a party, and how a change is told."""

import numpy as np
import pytest

from party.configuration.party import load_party_configuration
from party.errors import SessionError
from party.runtime.fingerprint import check_fingerprint, run_fingerprint
from tests.support.organisations import Organisations

SHA256 = "ab" * 32
ROWS = np.arange(5)


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    with Organisations(tmp_path_factory.mktemp("fingerprint")) as made:
        yield made


def present(organisations, sha256=SHA256, rows=ROWS, **changes):
    organisations.write_party("bob", **changes)
    configuration = load_party_configuration(organisations.party_path("bob"))
    return run_fingerprint(configuration, sha256, rows, organisations.folder)


CHANGES = {
    "configuration model": {"model": {"kind": "deepfm", "embedding_dimension": 8}},
    "configuration fuse": {"fuse": {"kind": "deepfm", "units": [3]}},
    "configuration optimizer": {"optimizer": {"name": "sgd"}},
    "data file": {"sha256": "cd" * 32},
    "order of rows": {"rows": ROWS[::-1]},
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_told_by_its_name(organisations, name):
    stored = present(organisations)
    check_fingerprint("bob", stored, present(organisations), allow_other_numerics=False)
    with pytest.raises(SessionError) as refused:
        check_fingerprint("bob", stored, present(organisations, **CHANGES[name]), allow_other_numerics=True)
    assert str(refused.value) == (
        f"bob: changed since the run began: {name}; change it back to resume, or begin a new run"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"listen": "127.0.0.1:5555"},
        {"log_level": "debug"},
        {"state": "elsewhere"},
        {"checkpoints": {"keep": 5}},
        {"policy": {"minimum_batch": 2}},
    ],
    ids=str,
)
def test_what_changes_no_number_may_change(organisations, changes):
    assert present(organisations, **changes) == present(organisations)


def test_versions_are_told_and_digests_are_not():
    before = {"code version": "1", "numerics.keras": "3.0", "numerics.processor": "00" * 32, "data file": "11" * 32}
    now = {"code version": "2", "numerics.keras": "4.0", "numerics.processor": "22" * 32, "data file": "33" * 32}
    with pytest.raises(SessionError) as refused:
        check_fingerprint("bob", before, now, allow_other_numerics=False)
    assert "code version (1 then, 2 now), data file, keras (3.0 then, 4.0 now), processor;" in str(refused.value)
    assert str(refused.value).endswith(
        "; install version 1 at all parties and the coordinator to resume, or begin a new run"
    )
    numerics = {name: value for name, value in now.items() if name.startswith("numerics")}
    with pytest.raises(SessionError, match=r"keras .*, processor; set checkpoints\.allow_other_numerics to continue"):
        check_fingerprint("bob", before, {**before, **numerics}, allow_other_numerics=False)
    check_fingerprint("bob", before, {**before, **numerics}, allow_other_numerics=True)
    with pytest.raises(SessionError, match="data file"):
        check_fingerprint("bob", before, {**before, "data file": "33" * 32}, allow_other_numerics=True)
