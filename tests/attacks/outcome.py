"""What an attack recovered, and whether the software held."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """One attack against real parties with default policies.

    Attributes:
        asset: what the attacker was after.
        before: what the attack recovered when it was found, before the software was mended.
        now: what it recovered in this run, with how much would be chance.
        held: whether that is no more than the documentation says.
    """

    asset: str
    before: str
    now: str
    held: bool
