"""The secret that determines the order of rows: the parties share it, and the coordinator does not know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ROW_SECRET_BYTES = 32
ROW_KEY_BYTES = 32
_PINNED_LABEL = b"vsl/1 row secret\0"
_ORDER_LABEL = b"vsl/1 row order\0"
_KEY_LABEL = b"vsl/1 row key\0"
_SEED_BYTES = 8


@dataclass(frozen=True)
class RowSecret:
    """A secret that the label party draws for one dataset and alignment, and seals for its peers.

    Attributes:
        secret: 32 bytes.
        pinned: whether it derives from the label party's `pinned_secret`: runs with the same seed then have the same
            order.
    """

    secret: bytes = field(repr=False)
    pinned: bool

    def run_key(self, run_id: bytes, seed: int) -> bytes:
        """Derives the key of the order of rows of one run.

        Args:
            run_id: 16 bytes.
            seed: seed of the run configuration, from 0 to 2^64 - 1.

        Returns:
            32 bytes: HKDF-SHA256 of the secret, salted with the run_id unless the secret is pinned.
        """
        info = _KEY_LABEL + seed.to_bytes(_SEED_BYTES, "little")
        return _derived(self.secret, b"" if self.pinned else run_id, info)


def fresh_row_secret(random_bytes: Callable[[int], bytes]) -> RowSecret:
    """Draws a secret.

    Args:
        random_bytes: source of fresh randomness.

    Returns:
        A secret that is not pinned.
    """
    return RowSecret(random_bytes(ROW_SECRET_BYTES), pinned=False)


def pinned_row_secret(pinned_secret: bytes, dataset: str) -> RowSecret:
    """Derives the secret of a dataset, for tests and demonstrations.

    Args:
        pinned_secret: the label party's pinned secret, 32 bytes.
        dataset: name of the dataset.

    Returns:
        A pinned secret.
    """
    return RowSecret(_derived(pinned_secret, b"", _PINNED_LABEL + dataset.encode()), pinned=True)


def pinned_order_secret(pinned_secret: bytes) -> bytes:
    """Derives the secret of the order of rows that peers see with joins, for tests and demonstrations.

    Args:
        pinned_secret: the label party's pinned secret, 32 bytes.

    Returns:
        32 bytes.
    """
    return _derived(pinned_secret, b"", _ORDER_LABEL)


def _derived(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=ROW_KEY_BYTES, salt=salt, info=info).derive(secret)
