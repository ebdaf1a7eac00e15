"""A feature party that cheats in the intersection names ids of the label party that it does not hold.

Of each group of encrypted ids it takes the first, and answers the others with multiples of it. Its setup holds the same
multiples of each id that it has. Where the first one of a group is an id that it has, the whole group counts as in
common, and what comes back of a row that it does not have it compares with every id that there could be.
"""

import hashlib
import hmac
import struct

import pandas as pd
import pytest

from coordinator import connect
from party.alignment.curve import ELEMENT_BYTES, KEY_BYTES, hash_to_curve
from party.alignment.feature_side import FeatureSide
from party.alignment.psi import answer_request
from party.errors import SplitError
from party.pb import party_pb2 as pb
from party.runtime import dataset_alignment
from tests.attacks.outcome import Outcome
from tests.support.organisations import Organisations, make_frames

ASSET = "ids of the label party that a cheating feature party does not hold"
BEFORE = "113"
ROWS = 400
HELD_ROWS = 130
GROUP = 8
COFACTOR = 8  # keys of X25519 are multiples of it
PROOF_BYTES = 32
CHUNK_ROWS = 128  # of Organisations.write_run


def attack(folder, seed):
    """Aligns once with policies as they are by default; alice cheats."""
    frames = make_frames(("alice", "bob"), rows=ROWS, seed=seed)
    alice = frames["alice"]["train"]
    held = [one for one in alice["ID"] if one.startswith("train-")][:HELD_ROWS]
    own = alice.set_index("ID").loc[held]
    # A setup may have as many elements as there are rows: made-up ids give it room for all multiples.
    padding = own.iloc[[0] * (len(held) * (GROUP - 1))].set_axis([f"none-{n}" for n in range(len(held) * (GROUP - 1))])
    frames["alice"]["train"] = pd.concat([own, padding]).rename_axis("ID").reset_index()
    overrides = {name: {"policy": None, "pinned_secret": None} for name in ("alice", "bob")}
    cheater = Cheater(held)
    with (
        Organisations(folder, frames=frames, overrides=overrides) as organisations,
        pytest.MonkeyPatch.context() as patch,
    ):
        organisations.start("bob")
        patch.setattr(dataset_alignment, "FeatureSide", cheater.side)
        organisations.start_server("alice")
        told = cheat(organisations)
        stored = [path.name for path in organisations.folder.glob("*/state/alignments/*")]
        theirs = set(organisations.read_table("bob", "train")["ID"])
    named = cheater.named([f"train-{number:05d}" for number in range(ROWS)]) - set(held)
    assert named <= theirs
    now = f"{len(named)} of {len(theirs - set(held))}, of {cheater.claimed} claimed; the alignment {told}"
    return Outcome(ASSET, BEFORE, now, held=not named and not stored)


def cheat(organisations):
    """What became of the alignment."""
    with connect(organisations.write_run()) as parties:
        try:
            parties.align()
        except SplitError as error:
            return f"was refused ({error.code}) and is not kept"
    return "was accepted"


class Cheater:
    """The feature party's own code, with other messages.

    Args:
        held: ids that it has.
    """

    def __init__(self, held):
        self.held = held
        self.answers = []
        self.keys = set()
        self.claimed = 0

    def side(self, terms, *, pair_key, pool):
        """Takes the place of `FeatureSide`."""
        side = FeatureSide(terms, pair_key=pair_key, pool=pool)
        produce, consume = side.produce, side.consume
        multiples = [multiply(one, times) for times in range(1, GROUP + 1) for one in points(self.held)]
        requests = []
        self.keys.update(pair_key(peer) for peer in terms.peers)

        def lie(kind, dataset, peer, index):
            if kind == pb.MESSAGE_KIND_PSI_SETUP:
                chunk = multiples[index * CHUNK_ROWS : (index + 1) * CHUNK_ROWS]
                return b"".join(chunk), -(-len(multiples) // CHUNK_ROWS)
            if kind == pb.MESSAGE_KIND_ALIGNMENT_PROOF:
                return multiples[0] + bytes(PROOF_BYTES), 1
            message, total = produce(kind, dataset, peer, index)
            if kind == pb.MESSAGE_KIND_PSI_RESPONSE:
                message = b"".join(self._answers(requests[index]))
            return message, total

        def listen(kind, dataset, peer, index, *, message):
            if kind == pb.MESSAGE_KIND_PSI_REQUEST:
                requests.append([message[at : at + ELEMENT_BYTES] for at in range(0, len(message), ELEMENT_BYTES)])
                return consume(kind, dataset, peer, index, message=message)
            self.answers.append(message)
            return 0

        side.produce, side.consume = lie, listen
        return side

    def named(self, guesses):
        """The guesses of which something came back that only their id explains."""
        told = b"".join(self.answers)
        return {one for one in guesses if any(trace in told for trace in self._traces(one))}

    def _answers(self, request):
        self.claimed += len(request)
        groups = [request[at : at + GROUP] for at in range(0, len(request), GROUP)]
        return [multiply(group[0], times) for group in groups for times in range(1, len(group) + 1)]

    def _traces(self, sample_id):
        """What an answer may hold of an id: it, its digests under what this party knows, and its point."""
        text = sample_id.encode()
        yield text
        yield hashlib.sha256(text).digest()[:16]
        yield points([sample_id])[0]
        for key in self.keys:
            prefix = b"vsl/1 alignment digest\0" + struct.pack("<Q", len("train")) + b"train"
            yield hmac.digest(key, prefix + text, "sha256")[:16]
            yield hmac.digest(key, text, "sha256")[:16]


def points(ids):
    """The points that ids are hashed to."""
    return [hash_to_curve(one) for one in ids]


def multiply(point, times):
    """A multiple of a point: another one for another number."""
    return answer_request((COFACTOR * times).to_bytes(KEY_BYTES, "little"), point, "attack")
