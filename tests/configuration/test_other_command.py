"""A file that is for the other command is refused as such."""

import pytest

from coordinator.configuration import load_coordinator_configuration
from party.configuration.party import load_party_configuration
from party.errors import ConfigurationError


@pytest.mark.parametrize(
    ("load", "key", "expected"),
    [(load_party_configuration, "coordinator", "party"), (load_coordinator_configuration, "party", "coordinator")],
)
def test_a_file_for_the_other_command_is_no_list_of_missing_keys(tmp_path, load, key, expected):
    path = tmp_path / "own.yaml"
    path.write_text(f"{key}: alice\nlabel_party: bob\n")
    with pytest.raises(
        ConfigurationError, match=f"is a file for the command `{key}`; expected a file for `{expected}`"
    ):
        load(path)
    path.write_text("label_party: bob\n")
    with pytest.raises(ConfigurationError, match=f"key {expected} is missing"):
        load(path)
