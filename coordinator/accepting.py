"""How a run's file names the parties whose invitations it accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from party.configuration.edited_yaml import with_value
from party.configuration.yaml_file import parse_yaml
from party.errors import ConfigurationError
from party.invitation.acceptance import Acceptor, settled_label_party
from party.invitation.received import ReceivedInvitation

PARTIES = "parties"
ALIGNED = ("alignment", "datasets")
TRAINED = ("training", "dataset")


def run_acceptor() -> Acceptor:
    """Makes the rules for a run's file."""
    return Acceptor(
        own_key="coordinator",
        list_of=_list_of,
        lists=(PARTIES,),
        entry=lambda received: {"address": str(received.invitation.address)},
        settled=_settled,
    )


def common_datasets(named: list[str] | None, received: ReceivedInvitation) -> list[str]:
    """The datasets that a run can align, once a party joins it.

    Args:
        named: those of the file; None if it names none yet.
        received: the party's invitation.

    Returns:
        Those that the party has too; all of them where it offers tables, which serve every dataset.

    Raises:
        ConfigurationError: there are none.
    """
    offered = list(received.invitation.datasets)
    if not offered:
        return named or []
    common = offered if not named else [one for one in named if one in offered]
    if not common:
        raise ConfigurationError(
            f"{received.invitation.name} has none of the run's datasets",
            where=received.path,
            expected=f"one of {', '.join(named or [])}",
            received=", ".join(offered),
            fix="have all parties name their datasets alike",
        )
    return common


def _list_of(received: ReceivedInvitation) -> str:
    if received.invitation.role == "coordinator":
        raise ConfigurationError(
            f"{received.invitation.name} is a coordinator", where=received.path, expected="an invitation of a party"
        )
    return PARTIES


def _settled(text: str, received: ReceivedInvitation, path: Path) -> str:
    text = settled_label_party(text, received, path)
    content = parse_yaml(text, path)
    named = _at(content, ALIGNED)
    if not isinstance(named, list | None):
        raise ConfigurationError("alignment.datasets is no list", where=path, expected="names of datasets")
    datasets = common_datasets(named, received)
    if datasets and datasets != named:
        text = with_value(text, ALIGNED, datasets, path)
    if datasets and _at(content, TRAINED) not in (None, *datasets):
        text = with_value(text, TRAINED, datasets[0], path)
    return text


def _at(content: dict[str, Any], keys: tuple[str, str]) -> Any:
    section = content.get(keys[0])
    return section.get(keys[1]) if isinstance(section, dict) else None
