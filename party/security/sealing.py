"""Seals messages between parties as a whole: the coordinator that relays them can only stop them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from party.errors import SealError, SessionLostError
from party.pb.party_pb2 import Envelope, MessageKind
from party.security.framing import length_prefixed
from party.security.printable import printable

NONCE_BYTES = 12
KEY_BYTES = 32
TAG_BYTES = 16
MAXIMUM_FAILURES = 3
KINDS = frozenset(MessageKind.values())


@dataclass(frozen=True)
class Slot:
    """The place of a message in a session, which sender and receiver derive independently.

    Attributes:
        sender: name of the party that seals.
        receiver: name of the party that opens.
        kind: kind of the message.
        dataset: dataset of the message; empty if it is about the whole session.
        index: exchange or chunk that it belongs to.
        rows: number of rows that it covers.
    """

    sender: str
    receiver: str
    kind: MessageKind
    dataset: str
    _: KW_ONLY
    index: int
    rows: int

    def associated_data(self, transcript: bytes) -> bytes:
        """The bytes that the seal authenticates besides the message."""
        numbers = b"".join(number.to_bytes(8, "big") for number in (self.kind, self.index, self.rows))
        return length_prefixed(
            [transcript, self.sender.encode(), self.receiver.encode(), self.dataset.encode(), numbers]
        )

    def __str__(self) -> str:
        """The slot in words, for errors."""
        kind = "message of unknown kind"
        if self.kind in KINDS:
            kind = MessageKind.Name(self.kind).removeprefix("MESSAGE_KIND_").lower()
        dataset = f" of {printable(self.dataset)}" if self.dataset else ""
        return f"{kind} {self.index}{dataset} from {printable(self.sender)} to {printable(self.receiver)}"


class SealingKeys:
    """The keys of one session at one party: one per direction and peer, in memory only.

    Args:
        transcript: SHA-256 of the handshake that the keys come from.
        outgoing: key for messages to each peer, 32 bytes.
        incoming: key for messages from each peer, 32 bytes.
    """

    def __init__(self, transcript: bytes, outgoing: Mapping[str, bytes], incoming: Mapping[str, bytes]) -> None:
        self.transcript = transcript
        self._outgoing = {peer: AESGCM(key) for peer, key in outgoing.items()}
        self._incoming = {peer: AESGCM(key) for peer, key in incoming.items()}
        self._counters = dict.fromkeys(outgoing, 0)
        self._sent: dict[tuple[str, MessageKind], tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._failures = 0
        self._closed = False

    @property
    def exhausted(self) -> bool:
        """Whether too many messages failed to open for the session to continue."""
        return self._failures >= MAXIMUM_FAILURES

    @property
    def sent(self) -> Mapping[tuple[str, MessageKind], tuple[int, int]]:
        """Number and size in bytes of all sealed messages, by receiver and kind."""
        with self._lock:
            return dict(self._sent)

    def invalidate(self) -> None:
        """Ends the session as if too many messages had failed to open."""
        self._failures = MAXIMUM_FAILURES

    def close(self) -> None:
        """Refuses to seal from now on, so that results that are still being computed when a session ends stay here."""
        with self._lock:
            self._closed = True

    def seal(self, slot: Slot, message: bytes) -> Envelope:
        """Seals a message for its slot.

        The nonce counts the seals under a key and never depends on the step, so that no two messages can share one.

        Args:
            slot: where the message belongs; its receiver is a peer.
            message: plaintext.

        Returns:
            The envelope to hand to the coordinator.

        Raises:
            SessionLostError: the session has ended.
        """
        with self._lock:
            if self._closed:
                raise SessionLostError("the session has ended", where=slot)
            self._counters[slot.receiver] += 1
            nonce = self._counters[slot.receiver].to_bytes(NONCE_BYTES, "big")
            messages, size = self._sent.get((slot.receiver, slot.kind), (0, 0))
            self._sent[slot.receiver, slot.kind] = (messages + 1, size + len(message) + TAG_BYTES)
        ciphertext = self._outgoing[slot.receiver].encrypt(nonce, message, slot.associated_data(self.transcript))
        return Envelope(
            sender=slot.sender,
            receiver=slot.receiver,
            kind=slot.kind,
            dataset=slot.dataset,
            index=slot.index,
            nonce=nonce,
            ciphertext=ciphertext,
        )

    def open(self, slot: Slot, envelope: Envelope) -> bytes:
        """Opens the message of a slot.

        Args:
            slot: the slot that the receiver expects; the fields of the envelope are used for errors only.
            envelope: the envelope, as the coordinator relayed it.

        Returns:
            The plaintext.

        Raises:
            SealError: the message belongs to another slot or session, or was altered.
        """
        stated = Slot(
            envelope.sender, envelope.receiver, envelope.kind, envelope.dataset, index=envelope.index, rows=slot.rows
        )
        usable = slot.sender in self._incoming and slot.kind in KINDS
        if stated != slot or not usable:
            self._failures += 1
            raise SealError(
                "a relayed message stands in the wrong place: swapped, reordered or replayed",
                where=slot.receiver,
                expected=str(slot),
                received=str(stated),
            )
        try:
            if len(envelope.nonce) != NONCE_BYTES:
                raise InvalidTag
            return self._incoming[slot.sender].decrypt(
                envelope.nonce, envelope.ciphertext, slot.associated_data(self.transcript)
            )
        except InvalidTag:
            self._failures += 1
            raise SealError(
                f"the seal of {slot} does not verify: altered, or sealed in another session or for"
                f" {slot.rows} rows of another place",
                where=slot.receiver,
                fix="the coordinator, or what lies between, changes messages",
            ) from None
