"""Handshakes of parties in memory, with a relay between them that may lie to each separately."""

import os

from party.pb.handshake_pb2 import DatasetRows, Hello, PartyRole, Purpose, Role
from party.security.certificates import Identity
from party.security.handshake import Handshake
from party.security.protocol import PROTOCOL
from party.security.trust import TrustedName
from tests.support import issuing
from tests.support.issuing import NOW

NAMES = ("alice", "bob", "carol")
LABEL_PARTY = "bob"
AUTHORITIES = {name: issuing.authority(f"{name} authority") for name in (*NAMES, "mallory")}
LEAVES = {name: issuing.leaf(authority, names=(name,)) for name, authority in AUTHORITIES.items()}
TRUSTED = {name: TrustedName(name, (authority.certificate,)) for name, authority in AUTHORITIES.items()}
IDENTITIES = {name: Identity(name, (leaf.certificate,), leaf.key) for name, leaf in LEAVES.items()}
SHARED = {
    "protocol": PROTOCOL,
    "code_version": "1.2.3",
    "run_id": bytes(range(16)),
    "purpose": Purpose.PURPOSE_TRAIN,
    "configuration_sha256": bytes(32),
    "start_step": 0,
    "lineage": b"",
    "dataset": "",
    "insecure": False,
}


def roles(names=NAMES, label_party=LABEL_PARTY):
    return [
        PartyRole(name=name, role=Role.ROLE_LABEL if name == label_party else Role.ROLE_FEATURE)
        for name in sorted(names)
    ]


def statement(party, names=NAMES, **changes):
    """Returns what a party states before its handshake adds share, nonce and certificates."""
    fields = {
        **SHARED,
        "party": party,
        "role": Role.ROLE_LABEL if party == LABEL_PARTY else Role.ROLE_FEATURE,
        "parties": roles(names),
        "datasets": [DatasetRows(dataset="train", rows=100, alignment_id=b"a" * 16)],
        **changes,
    }
    return Hello(**fields)


def handshake(party, names=NAMES, **changes):
    peers = {name: TRUSTED[name] for name in names if name != party}
    return Handshake(IDENTITIES[party], statement(party, names, **changes), peers, random_bytes=os.urandom, now=NOW)


class Meeting:
    """The handshakes of all parties and a relay.

    Args:
        names: of the parties.
        changes: by party, fields of its Hello that differ from those of the others.
        everybody: fields of Hello that are equal for all parties.
    """

    def __init__(self, names=NAMES, changes=None, everybody=None):
        changes, everybody = changes or {}, everybody or {}
        self.sides = {name: handshake(name, names, **{**everybody, **changes.get(name, {})}) for name in names}
        self.signatures = []

    @property
    def hellos(self):
        return {name: side.hello for name, side in self.sides.items()}

    def agree(self, shown=None):
        """Makes all parties sign; `shown` has, by party, the Hellos that it receives instead of the true ones."""
        for name, side in self.sides.items():
            view = {**self.hellos, **(shown or {}).get(name, {})}
            self.signatures.append(side.agree(list(view.values())))

    def authenticate(self):
        return {name: side.authenticate(self.signatures) for name, side in self.sides.items()}

    def keys(self):
        self.agree()
        return self.authenticate()


def changed(hello, **fields):
    """Returns a Hello with some fields replaced by the relay."""
    message = Hello.FromString(hello)
    for field, value in fields.items():
        if isinstance(value, list):
            del getattr(message, field)[:]
            getattr(message, field).extend(value)
        else:
            setattr(message, field, value)
    return message.SerializeToString(deterministic=True)
