"""Pairwise keys of a session, agreed through a coordinator that cannot take part.

Every party states what it is about to run (Hello), signs the hash of all statements, and derives keys that depend on
that hash. A coordinator that changes, replays or splits anything is detected before a tensor is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.message import DecodeError

from party.errors import HandshakeError, IdentityError
from party.pb.handshake_pb2 import Hello, HelloSignature, Purpose
from party.security.certificates import Identity, Usage, sign, verify_signature
from party.security.chains import certificates_from_der
from party.security.fields import has_at_most_fields
from party.security.framing import length_prefixed
from party.security.printable import printable
from party.security.sealing import KEY_BYTES, SealingKeys
from party.security.trust import TrustedName

TRANSCRIPT_LABEL = b"vsl/1 transcript\0"
SIGNATURE_PREFIX = b"\x20" * 64 + b"vsl/1 handshake\0"
SEAL_LABEL = b"vsl/1 seal\0"
PAIR_LABEL = b"vsl/1 pair\0"
MASK_LABEL = b"vsl/1 mask\0"
NONCE_BYTES = 32
SHARE_BYTES = 32
MAXIMUM_HELLO_BYTES = 1 << 20
MAXIMUM_HELLO_FIELDS = 4096

# Fields of Hello that every party of a session must state alike.
SHARED_FIELDS = (
    "protocol",
    "code_version",
    "run_id",
    "purpose",
    "configuration_sha256",
    "start_step",
    "lineage",
    "dataset",
    "shuffled_party",
    "shuffled_column",
    "insecure",
)
FIELDS_SHOWN_IN_ERRORS = frozenset({"protocol", "code_version", "start_step", "insecure"})


class Handshake:
    """One party's side of one key agreement.

    Args:
        identity: this party's certificate chain and key.
        statement: this party's Hello, without share, nonce and certificates.
        peers: the other parties of the session, by name.
        random_bytes: source of fresh randomness.
        now: time at which certificates are checked.
    """

    def __init__(
        self,
        identity: Identity,
        statement: Hello,
        peers: Mapping[str, TrustedName],
        *,
        random_bytes: Callable[[int], bytes],
        now: datetime,
    ) -> None:
        self._identity = identity
        self._peers = dict(peers)
        self._now = now
        self._share = X25519PrivateKey.from_private_bytes(random_bytes(SHARE_BYTES))
        self._own = Hello()
        self._own.CopyFrom(statement)
        self._own.share = self._share.public_key().public_bytes_raw()
        self._own.nonce = random_bytes(NONCE_BYTES)
        self._own.certificate_chain.extend(one.public_bytes(Encoding.DER) for one in identity.chain)
        self.hello = self._own.SerializeToString(deterministic=True)
        self.transcript = b""
        self.hellos: dict[str, Hello] = {}
        self._leaves: dict[str, x509.Certificate] = {}

    def agree(self, received: Sequence[bytes]) -> HelloSignature:
        """Checks the statements of all parties and signs them.

        Args:
            received: the Hello of every party, this one included, in any order.

        Returns:
            This party's signature of the transcript.

        Raises:
            HandshakeError: names the party and the field that differ.
            IdentityError: a certificate is not the party's.
        """
        by_party: dict[str, bytes] = {}
        hellos: dict[str, Hello] = {}
        for data in received:
            hello = self._parse(data)
            if hello.party in by_party:
                received_twice = printable(hello.party)
                raise HandshakeError("two statements of one party", where=self._own.party, received=received_twice)
            by_party[hello.party] = data
            hellos[hello.party] = hello
        self._check_members(by_party)
        for name in sorted(self._peers):
            self._check_statement(hellos[name])
        self.hellos = hellos  # only now: a refused attempt must leave nothing behind for the next one
        ordered = [by_party[name] for name in sorted(by_party)]
        self.transcript = hashlib.sha256(TRANSCRIPT_LABEL + length_prefixed(ordered)).digest()
        signature = sign(self._identity.key, _signed_bytes(self._own.party, self.transcript))
        return HelloSignature(party=self._own.party, signature=signature)

    def authenticate(self, signatures: Sequence[HelloSignature]) -> SealingKeys:
        """Verifies that every party signed the same transcript, and derives the keys.

        Args:
            signatures: signatures of every party; that of this party may be missing.

        Returns:
            The keys of the session.

        Raises:
            HandshakeError: a signature is missing or does not verify.
        """
        by_party = {signature.party: signature.signature for signature in signatures}
        for name in sorted(self._peers):
            if name not in by_party:
                raise HandshakeError("the signature is missing", where=f"{self._own.party}: handshake with {name}")
            message = _signed_bytes(name, self.transcript)
            try:
                verify_signature(self._leaves[name], by_party[name], message)
            except IdentityError as error:
                raise HandshakeError(
                    "the signature does not verify: this party was shown other statements than the ones that"
                    f" {name} signed",
                    where=f"{self._own.party}: handshake with {name}",
                ) from error
        own = self._own.party
        return SealingKeys(
            self.transcript,
            outgoing={peer: self._derive(peer, SEAL_LABEL, own, peer) for peer in self._peers},
            incoming={peer: self._derive(peer, SEAL_LABEL, peer, own) for peer in self._peers},
        )

    def pair_key(self, peer: str) -> bytes:
        """The 32 bytes that only this party and the peer know, for keyed digests.

        Args:
            peer: name of the peer.
        """
        first, second = sorted((self._own.party, peer))
        return self._derive(peer, PAIR_LABEL, first, second)

    def mask_secret(self, peer: str) -> bytes:
        """The 32 bytes that only this party and the peer know, for the masks of this session.

        Args:
            peer: name of the peer.
        """
        first, second = sorted((self._own.party, peer))
        return self._derive(peer, MASK_LABEL, first, second)

    def _parse(self, data: bytes) -> Hello:
        try:
            if len(data) > MAXIMUM_HELLO_BYTES or not has_at_most_fields(data, MAXIMUM_HELLO_FIELDS):
                raise DecodeError
            return Hello.FromString(data)
        except DecodeError:
            raise HandshakeError("a statement that cannot be parsed", where=self._own.party) from None

    def _check_members(self, by_party: Mapping[str, bytes]) -> None:
        own = self._own.party
        expected = sorted([own, *self._peers])
        if sorted(by_party) != expected:
            raise HandshakeError(
                "the parties of this session are not those that this party was configured with",
                where=own,
                expected=", ".join(expected),
                received=", ".join(printable(name) for name in sorted(by_party)),
            )
        if by_party[own] != self.hello:
            raise HandshakeError("this party's own statement came back changed", where=own)

    def _check_statement(self, hello: Hello) -> None:
        where = f"{self._own.party}: handshake with {hello.party}"
        for field in SHARED_FIELDS:
            mine, theirs = getattr(self._own, field), getattr(hello, field)
            if mine != theirs:
                shown = field in FIELDS_SHOWN_IN_ERRORS
                raise HandshakeError(
                    f"{field} differs",
                    where=where,
                    expected=printable(str(mine)) if shown else "",
                    received=printable(str(theirs)) if shown else "",
                    fix="run the same version everywhere" if field in ("protocol", "code_version") else "",
                )
        if list(hello.parties) != list(self._own.parties):
            raise HandshakeError("parties or roles differ", where=where)
        roles = {one.name: one.role for one in self._own.parties}
        if hello.role != roles[hello.party]:
            raise HandshakeError("role differs", where=where)
        self._check_datasets(hello, where)
        self._leaves[hello.party] = self._verified_leaf(hello, where)

    def _check_datasets(self, hello: Hello, where: str) -> None:
        """While aligning, parties may hold different rows; afterwards they may not."""
        names = [one.dataset for one in self._own.datasets]
        if [one.dataset for one in hello.datasets] != names:
            raise HandshakeError("datasets differ", where=where, expected=", ".join(names))
        if self._own.purpose == Purpose.PURPOSE_ALIGN:
            return
        for mine, theirs in zip(self._own.datasets, hello.datasets, strict=True):
            if mine != theirs:
                raise HandshakeError(
                    f"alignment of dataset {mine.dataset} differs: the rows of the parties are not in the same order",
                    where=where,
                    fix="run `coordinator align`",
                )

    def _verified_leaf(self, hello: Hello, where: str) -> x509.Certificate:
        chain = certificates_from_der(hello.certificate_chain, where)
        if not chain:
            raise HandshakeError("certificate_chain is empty", where=where)
        self._peers[hello.party].verify(chain[0], chain[1:], Usage.PARTY, self._now)
        return chain[0]

    def _derive(self, peer: str, label: bytes, first: str, second: str) -> bytes:
        try:
            public = X25519PublicKey.from_public_bytes(self.hellos[peer].share)
            shared = self._share.exchange(public)
        except ValueError:
            raise HandshakeError(
                "share is no usable X25519 key", where=f"{self._own.party}: handshake with {peer}"
            ) from None
        purpose = int(self._own.purpose).to_bytes(1, "big")
        info = label + length_prefixed([first.encode(), second.encode(), purpose])
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=self.transcript, info=info).derive(shared)


def _signed_bytes(party: str, transcript: bytes) -> bytes:
    return SIGNATURE_PREFIX + length_prefixed([party.encode()]) + transcript
