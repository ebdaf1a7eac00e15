"""Determines what may change in the configuration of a party while it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from party.configuration.party import PartyConfiguration
from party.errors import ConfigurationError
from party.security.trust import TrustedName

LIVE_KEYS = ("coordinators", "peers", "policy")


@dataclass(frozen=True)
class Revision:
    """The difference between the configuration in force and the file.

    Attributes:
        changed: keys that differ.
        removed: names of peers and coordinators that are no longer trusted, or no longer in the same way.
    """

    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __str__(self) -> str:
        if not self.changed and not self.removed:
            return "nothing changed"
        changes = f"changed: {', '.join(self.changed) or 'authorities'}"
        return f"{changes}; no longer trusted as before: {', '.join(self.removed)}" if self.removed else changes


def revision(
    present: PartyConfiguration,
    following: PartyConfiguration,
    trusted: Mapping[str, TrustedName],
    following_trusted: Mapping[str, TrustedName],
) -> Revision:
    """Compares two configurations of one party.

    Args:
        present: the configuration in force.
        following: the new configuration, as read from the file.
        trusted: peers and coordinators with their authorities, as in force.
        following_trusted: the same, as in the new files.

    Returns:
        The difference.

    Raises:
        ConfigurationError: a key differs that only a restart can change.
    """
    before, after = present.model_dump(), following.model_dump()
    changed = tuple(key for key in before if before[key] != after[key])
    fixed = [key for key in changed if key not in LIVE_KEYS]
    if fixed:
        raise ConfigurationError(
            "cannot change while the party serves",
            where=f"{present.party}: {', '.join(fixed)}",
            expected=f"changes of {', '.join(LIVE_KEYS)} only",
            fix="restart `party serve`",
        )
    listed = {one.name: one for one in (*following.peers, *following.coordinators)}
    removed = tuple(
        one.name
        for one in (*present.peers, *present.coordinators)
        if listed.get(one.name) != one or trusted[one.name] != following_trusted.get(one.name)
    )
    return Revision(changed, removed)
