"""The secret that negatives are drawn with: that of the state folder, or one that nobody uses again."""

from __future__ import annotations

from collections.abc import Callable

from party.configuration.party import PartyConfiguration
from party.runtime.generations import PRIVACY_FOLDER, Generations

NEGATIVES = "negatives"


def stored_secret(configuration: PartyConfiguration, random_bytes: Callable[[int], bytes]) -> bytes:
    """The secret in the state folder, the same at every start; drawn the first time.

    Args:
        configuration: the party's configuration.
        random_bytes: source of fresh randomness.

    Returns:
        32 bytes.

    Raises:
        StorageError: the folder cannot be used, or the secret is damaged.
    """
    pinned = configuration.pinned_secret
    folder = configuration.path(configuration.state) / PRIVACY_FOLDER / NEGATIVES
    return Generations(folder, NEGATIVES, random_bytes, None if pinned is None else bytes.fromhex(pinned)).secret
