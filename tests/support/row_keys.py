"""The key of a run's order of rows, by its definition alone; it shares no code with the parties."""

from __future__ import annotations

import hashlib
import hmac


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """Returns HKDF-SHA256 of RFC 5869, 32 bytes: extract, then the first block of expand."""
    pseudorandom = hmac.digest(salt or bytes(hashlib.sha256().digest_size), secret, "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")


def row_key(row_secret: bytes, run_id: bytes, seed: int) -> bytes:
    """Returns the key of a run; the run_id is empty where the row secret is pinned."""
    return hkdf(row_secret, run_id, b"vsl/1 row key\0" + seed.to_bytes(8, "little"))


def pinned_row_key(pinned_secret: str, dataset: str, seed: int) -> bytes:
    """Returns the key of every run whose label party has this pinned secret, 64 hexadecimal digits."""
    row_secret = hkdf(bytes.fromhex(pinned_secret), b"", b"vsl/1 row secret\0" + dataset.encode())
    return row_key(row_secret, b"", seed)
