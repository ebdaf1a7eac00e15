"""A party's file before its partners are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.configuration.yaml_file import parse_yaml, read_yaml

_PEER, _COORDINATOR = "peer-to-be", "coordinator-to-be"


def validated_draft(content: Mapping[str, Any], where: Path) -> PartyConfiguration:
    """Validates all of a party's file but the partners that it lacks, for which names stand that nobody has.

    Args:
        content: of the file.
        where: its path.

    Returns:
        The configuration, not to be served.

    Raises:
        ConfigurationError: a key cannot be used.
    """
    filled = {**content, "folder": where.resolve().parent}
    for key, name in (("peers", _PEER), ("coordinators", _COORDINATOR)):
        filled[key] = content.get(key) or [{"name": name, "ca": f"{name}.pem"}]
    if content.get("label_party") is None:
        first = filled["peers"][0]
        filled["label_party"] = first.get("name") if isinstance(first, dict) else _PEER
    return validate(PartyConfiguration, filled, where)


def load_draft(path: Path) -> PartyConfiguration:
    """Reads a party's file whose partners may be unknown yet.

    Args:
        path: the file.

    Returns:
        The configuration, not to be served.

    Raises:
        ConfigurationError: the file or a key of it cannot be used.
    """
    return validated_draft(read_yaml(path), path)


def parsed_draft(text: str, where: Path) -> PartyConfiguration:
    """Reads the text of a party's file that is not written yet.

    Args:
        text: of the file.
        where: the path that it will have.

    Returns:
        The configuration, not to be served.

    Raises:
        ConfigurationError: a key cannot be used.
    """
    return validated_draft(parse_yaml(text, where), where)
