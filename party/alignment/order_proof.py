"""The mutual proof that two parties hold the same ids in the same order.

Each side hashes its ordered ids to a point of the curve, multiplies it by a secret key, and shows the result.
Multiplied by both keys, the point is a secret that the two share if their ids are the same; a message authenticated
with it proves that. A cheater can try one list of ids per proof and learns whether it was right. A plain digest of the
ids would let it try any number of lists offline, and so find an id that it does not hold.

Reference:
    Jablon, "Strong password-only authenticated key exchange", Computer Communication Review 26(5), 1996 (SPEKE).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from party.alignment.curve import new_key
from party.alignment.psi import answer_request, encrypt
from party.data.ids import Ids
from party.errors import AlignmentError
from party.security.framing import length_prefixed

PairKey = Callable[[str], bytes]

PROOF_BYTES = 32
_IDS_LABEL = b"vsl/1 alignment ids\0"
_PROOF_LABEL = b"vsl/1 alignment proof\0"


class OrderProof:
    """One side's part of one proof.

    Args:
        pair_key: 32 bytes that only the two parties know.
        dataset: name of the dataset.
        alignment_id: id of this alignment, 16 bytes.
        ordered_ids: ids of the rows in common, in the common order.
    """

    def __init__(self, pair_key: bytes, dataset: str, alignment_id: bytes, ordered_ids: Ids) -> None:
        digest = hmac.new(pair_key, _IDS_LABEL + length_prefixed([dataset.encode(), alignment_id]), "sha256")
        for block in ordered_ids.blocks():
            digest.update(length_prefixed(one.encode() for one in block))
        self._key = new_key()
        self.share = encrypt(self._key, [digest.hexdigest()])

    def of(self, prover: str, peer_share: bytes, where: str) -> bytes:
        """Makes the proof that a party holds the ids.

        Args:
            prover: name of that party, so that no side can send back the proof of the other.
            peer_share: the other side's share, 32 bytes.
            where: kind, peer and dataset, for errors.

        Returns:
            32 bytes; the same at both sides if their ids are the same.

        Raises:
            AlignmentError: the share is no point of the curve.
        """
        shared = answer_request(self._key, peer_share, where)
        shares = sorted([self.share, peer_share])
        return hmac.digest(shared, _PROOF_LABEL + length_prefixed([prover.encode(), *shares]), "sha256")

    def verify(self, received: bytes, prover: str, peer_share: bytes, where: str) -> None:
        """Checks the proof of the other side.

        Args:
            received: its proof, 32 bytes.
            prover: name of the other side.
            peer_share: its share, 32 bytes.
            where: kind, peer and dataset, for errors.

        Raises:
            AlignmentError: its ids or their order are not the same, or the share is no point of the curve.
        """
        if not hmac.compare_digest(self.of(prover, peer_share, where), received):
            raise AlignmentError("the peer's rows are not in the common order", where=where, fix="align again")
