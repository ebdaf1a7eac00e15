"""Texts hashed into buckets."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np

from party.configuration.features import HashFeature
from party.data.kinds.cells import Cells, Encoding, SingleEncoder, one_index

_DIGEST_BYTES = 8


class HashEncoder(SingleEncoder):
    """Index 0 is missing; 1 to `buckets` are keyed BLAKE2b digests of the text modulo the number of buckets.

    The digest has 64 bits, read big-endian; its key is the SHA-256 digest of the salt.
    """

    kind: Literal["hash"] = "hash"
    feature: HashFeature

    @property
    def size(self) -> int:
        """Embedding rows that the feature needs."""
        return self.feature.buckets + 1

    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""
        key = hashlib.sha256(self.feature.salt.encode()).digest()
        digests = b"".join(
            hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES, key=key).digest() for text in cells.texts
        )
        buckets = np.frombuffer(digests, dtype=">u8") % np.uint64(self.feature.buckets) + np.uint64(1)
        return one_index(np.where(cells.missing, 0, buckets.astype(np.int32)).astype(np.int32))
