"""Secret random streams: nobody can guess a party's weights and dropout from the shared seed."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES = 32
PHILOX_KEY_BYTES = 16


def secret_stream(party_secret: bytes, seed: int, stream: str) -> np.random.Generator:
    """Makes a generator that only the holder of the secret can reproduce.

    Args:
        party_secret: 32 random bytes of the run.
        seed: seed of the run configuration.
        stream: purpose of the randomness; distinct names give independent streams.

    Returns:
        A generator keyed by HKDF-SHA256(party_secret, seed, stream).
    """
    info = b"vsl/1 stream\0" + seed.to_bytes(8, "little") + stream.encode()
    key = HKDF(algorithm=SHA256(), length=PHILOX_KEY_BYTES, salt=None, info=info).derive(party_secret)
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key, dtype="<u8")))
