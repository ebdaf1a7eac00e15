"""One session of a party: from the agreement to the last message."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from google.protobuf.message import DecodeError

from party.errors import AlignmentError, SealError, SessionError
from party.pb.handshake_pb2 import Confirmation, DatasetRows, Hello, HelloSignature, Purpose
from party.pb.party_pb2 import Envelope, MessageKind
from party.pb.tensor_pb2 import TensorSpec
from party.protocol.calls import RepeatableCalls
from party.protocol.stages import Stage, Stages
from party.security.handshake import Handshake
from party.security.sealing import SealingKeys, Slot

MAXIMUM_CONFIRMATION_BYTES = 4096


class Plan(Protocol):
    """What a session is for: alignment, training or inference."""

    @property
    def datasets(self) -> list[DatasetRows]:
        """What Hello says of the datasets."""

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """What Hello says of the hiddens."""

    @property
    def lineage(self) -> bytes:
        """What the weights came from."""

    @property
    def exchanges(self) -> int:
        """Batches of the session."""

    @property
    def position(self) -> int:
        """The batch to begin with."""

    @property
    def steps(self) -> int:
        """Training steps of the session."""

    @property
    def step(self) -> int:
        """Training steps done so far."""

    @property
    def passes(self) -> Sequence[tuple[int, int]]:
        """First position and number of batches of every pass over training rows."""

    @property
    def depth(self) -> int:
        """Most batches under way at a time."""

    @property
    def decisions(self) -> Sequence[int]:
        """Exchanges at which the label party decides whether to go on."""

    @property
    def pending(self) -> tuple[str, ...]:
        """Datasets that the session has to align."""

    def agreed(self, hellos: Mapping[str, Hello]) -> None:
        """Takes note of what every party stated."""

    def start(self, keys: SealingKeys, pair_key: Callable[[str], bytes]) -> None:
        """Makes ready for the first message."""

    def confirmation(self, pair_key: bytes) -> Confirmation:
        """What a peer must find equal to its own."""

    def finish(self) -> tuple[tuple[str, ...], int]:
        """Writes results; returns names of files and a number of rows."""

    def close(self) -> None:
        """Lets go of everything."""


class Session:
    """The stages of one session at one party.

    Args:
        party: own name.
        peers: the other parties of the session, ascending.
        purpose: of the session.
        plan: what it is for.
        handshake: with the other parties.
    """

    def __init__(self, party: str, peers: Sequence[str], purpose: Purpose, plan: Plan, handshake: Handshake) -> None:
        self._party = party
        self._peers = tuple(peers)
        self._handshake = handshake
        self._keys: SealingKeys | None = None
        # Calls come in several threads: two of one stage at a time could mix the shares of one agreement
        # with the signatures of another, or count the nonces of the same keys twice.
        self._transition = threading.Lock()
        self.purpose = purpose
        self.plan = plan
        self._stages = Stages(party)
        self.calls = RepeatableCalls(party, plan.depth + 1)
        # Apart from the batches: writing a checkpoint must not hold them up.
        self.checkpoint_calls = RepeatableCalls(party)

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        return self._stages.current

    @property
    def hello(self) -> bytes:
        """Own statement, as every party hashes it."""
        return self._handshake.hello

    @property
    def broken(self) -> bool:
        """Whether too many messages failed to open for the session to go on."""
        return self._keys is not None and self._keys.exhausted

    def agree(self, hellos: Sequence[bytes]) -> HelloSignature:
        """Checks all statements, signs them, and builds what depends on them."""
        with self._transition:
            self.require(Stage.OPENED)
            signature = self._handshake.agree(hellos)
            self.plan.agreed(self._handshake.hellos)
            self._stages.leave(Stage.OPENED)
            return signature

    def authenticate(self, signatures: Sequence[HelloSignature]) -> list[Envelope]:
        """Verifies all signatures, derives the keys, and seals a confirmation for every peer."""
        with self._transition:
            self.require(Stage.AGREED)
            keys = self._handshake.authenticate(signatures)
            envelopes = []
            for peer in self._peers:
                content = self.plan.confirmation(self._handshake.pair_key(peer)).SerializeToString(deterministic=True)
                envelopes.append(keys.seal(_confirmation_slot(self._party, peer), content))
            self._keys = keys
            self._stages.leave(Stage.AGREED)
            return envelopes

    def confirm(self, envelopes: Sequence[Envelope]) -> None:
        """Verifies that every peer has the same keys and the same rows in the same order.

        Raises:
            AlignmentError: a peer loaded other rows, or in another order.
            SealError: a confirmation is missing or does not verify.
        """
        with self._transition:
            keys = self.require_keys(Stage.AUTHENTICATED)
            by_sender = {envelope.sender: envelope for envelope in envelopes}
            for peer in self._peers:
                if peer not in by_sender:
                    raise SealError("the confirmation is missing", where=f"{self._party}: handshake with {peer}")
                received = keys.open(_confirmation_slot(peer, self._party), by_sender[peer])
                mine = self.plan.confirmation(self._handshake.pair_key(peer))
                self._compare(mine, received, peer)
            self.plan.start(keys, self._handshake.pair_key)
            self._stages.leave(Stage.AUTHENTICATED)

    def require(self, stage: Stage) -> None:
        """Refuses a call that does not belong to the stage."""
        self._stages.require(stage)

    def require_keys(self, stage: Stage) -> SealingKeys:
        """The session's keys; refuses a call that does not belong to the stage."""
        self.require(stage)
        if self._keys is None:
            raise SessionError("no keys are agreed", where=self._party)
        return self._keys

    def finish(self) -> tuple[tuple[str, ...], int]:
        """Writes what the session came to."""
        self.require(Stage.READY)
        result = self.plan.finish()
        self._stages.leave(Stage.READY)
        return result

    def _compare(self, mine: Confirmation, received: bytes, peer: str) -> None:
        where = f"{self._party}: handshake with {peer}"
        try:
            if len(received) > MAXIMUM_CONFIRMATION_BYTES:
                raise DecodeError
            theirs = Confirmation.FromString(received)
        except DecodeError:
            raise SealError("the confirmation cannot be parsed", where=where) from None
        expected = {one.dataset: one.ids_hmac for one in mine.datasets}
        found = {one.dataset: one.ids_hmac for one in theirs.datasets}
        for dataset, digest in expected.items():
            if not hmac.compare_digest(digest, found.get(dataset, b"")):
                raise AlignmentError(
                    f"the rows of dataset {dataset} are not the same, or not in the same order, at {peer}",
                    where=self._party,
                    fix="run `coordinator align --force`",
                )


def _confirmation_slot(sender: str, receiver: str) -> Slot:
    return Slot(sender, receiver, MessageKind.MESSAGE_KIND_CONFIRM, "", 0, 0)
