"""Everything that leaves the parties of a federation in this process: messages before they are sealed, facts, sizes."""

import json
from collections import defaultdict

from party.pb.handshake_pb2 import Hello
from party.pb.party_pb2 import MESSAGE_KIND_CONFIRM, MESSAGE_KIND_PREPARED
from party.security.sealing import SealingKeys
from tests.support.relaying import Relay

FRESH_IN_HELLO = ("run_id", "share", "nonce", "certificate_chain", "lineage")  # drawn anew in every session
FRESH_IN_LEDGER = ("time", "session", "run_id", "digest", "previous", "configuration_sha256")
OF_FRESH_KEYS = (MESSAGE_KIND_CONFIRM, MESSAGE_KIND_PREPARED)  # digests under the session's keys
VARYING = ("Agree", "Report")  # a signature's length depends on its value; reports are asked for as time passes


class WhatLeaves:
    """Records a federation; two records are equal where nobody outside could tell two worlds apart.

    Args:
        monkeypatch: to read messages before they are sealed.
    """

    def __init__(self, monkeypatch):
        self.plain, self.facts, self.sizes = defaultdict(list), [], defaultdict(list)
        seal = SealingKeys.seal

        def recording(keys, slot, message):
            # By sender and kind: the parties answer at the same time.
            content = len(message) if slot.kind in OF_FRESH_KEYS else bytes(message)
            place = (slot.sender, slot.receiver, int(slot.kind))
            self.plain[place].append((slot.dataset, slot.index, slot.rows, content))
            return seal(keys, slot, message)

        monkeypatch.setattr(SealingKeys, "seal", recording)

    def connect(self, run_path):
        """A coordinator whose calls are recorded."""
        return Relay(run_path, self._around)

    def _around(self, send, party, method, request):
        reply = send(request)
        if method == "Open":
            self.facts.append((party, _without(Hello.FromString(reply.hello), FRESH_IN_HELLO)))
        elif method not in VARYING:
            self.sizes[party, method].append(reply.ByteSize())
        return reply

    def record(self):
        """All that was recorded."""
        return dict(self.plain), sorted(map(str, self.facts)), dict(self.sizes)


def files_of(organisations, name):
    """Sizes of a party's files, and what its ledger says apart from times and random numbers."""
    state = organisations.state_path(name)
    runs = sorted(state.glob("runs/*/**/*"))
    sizes = [(path.suffix, path.stat().st_size) for path in runs if path.is_file() and path.suffix != ".json"]
    lines = [json.loads(line) for line in (state / "ledger.jsonl").read_text().splitlines()]
    kept = [{key: value for key, value in line.items() if key not in FRESH_IN_LEDGER} for line in lines]
    return sorted(sizes), kept


def _without(message, fields):
    for name in fields:
        message.ClearField(name)
    for one in message.datasets:
        one.ClearField("alignment_id")
    return str(message)
