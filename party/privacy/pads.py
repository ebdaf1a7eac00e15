"""Pairwise pads that hide the values of every feature party, and cancel in the sum of all of them.

Reference: Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning", CCS 2017,
section 4, without the recovery from parties that drop out.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from party.errors import SessionLostError
from party.privacy.ring import RingArray

PAD_LABEL = b"pad"
NUMBER_BYTES = 8
PAD_KEY_BYTES = 32
COUNTER_BYTES = 16
VALUE_BYTES = 4


def pad(secret: bytes, position: int, rows: int, columns: int) -> RingArray:
    """The pad of two parties for the matrix at a position of their session.

    Args:
        secret: the 32 bytes that only the two parties know in this session.
        position: position of the matrix in the schedule.
        rows: number of rows of the matrix.
        columns: number of columns of the matrix.

    Returns:
        uint32 (rows, columns), uniform for everybody else.
    """
    place = b"".join(number.to_bytes(NUMBER_BYTES, "big") for number in (position, rows, columns))
    key = HKDFExpand(algorithm=SHA256(), length=PAD_KEY_BYTES, info=PAD_LABEL + place).derive(secret)
    stream = Cipher(AES256(key), CTR(bytes(COUNTER_BYTES))).encryptor()
    return np.frombuffer(stream.update(bytes(VALUE_BYTES * rows * columns)), "<u4").reshape(rows, columns)


class Masks:
    """Masks the matrices of one party in one session, one for each position.

    Args:
        party: name of this party.
        secrets: the 32 bytes that this party shares in this session with every other party of the sum, by its name.
    """

    def __init__(self, party: str, secrets: Mapping[str, bytes]) -> None:
        self._party = party
        self._secrets = dict(secrets)
        self._lock = threading.Lock()
        self._next = 0

    def apply(self, matrix: RingArray, position: int) -> RingArray:
        """Adds the pads that this party shares with later names, and subtracts those that it shares with earlier ones.

        Args:
            matrix: uint32 (rows, columns), in fixed point.
            position: position of the matrix in the schedule.

        Returns:
            uint32 (rows, columns).

        Raises:
            SessionLostError: a matrix of this or of a later position was masked before: the pads of two matrices would
                cancel in their difference.
        """
        with self._lock:
            if position < self._next:
                raise SessionLostError(
                    "a message of this position was masked before, and no pad serves two messages",
                    where=f"{self._party}: exchange {position}",
                    fix="resume the run: a new session has new pads",
                )
            self._next = position + 1
        rows, columns = matrix.shape
        masked = matrix
        for peer, secret in self._secrets.items():
            shared = pad(secret, position, rows, columns)
            masked = masked + shared if self._party < peer else masked - shared
        return masked
