"""How a party's configuration names those whose invitations it accepts."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from party.configuration.yaml_file import read_yaml
from party.errors import ConfigurationError
from party.invitation.acceptance import Acceptor, settled_label_party
from party.invitation.received import ReceivedInvitation

PEERS, COORDINATORS = "peers", "coordinators"


def party_acceptor(path: Path) -> Acceptor:
    """Makes the rules for one party's file.

    Args:
        path: the party's file.

    Raises:
        ConfigurationError: it is no file of a party.
    """
    name = read_yaml(path).get("party")
    if not isinstance(name, str):
        raise ConfigurationError("is no file of a party", where=path, fix="make one with `party init`")
    return Acceptor(
        own_key="party",
        list_of=lambda received: COORDINATORS if received.invitation.role == "coordinator" else PEERS,
        lists=(PEERS, COORDINATORS),
        entry=lambda received: {},
        settled=partial(_settled, name),
    )


def _settled(name: str, text: str, received: ReceivedInvitation, path: Path) -> str:
    return settled_label_party(text, received, path, own_name=name)
