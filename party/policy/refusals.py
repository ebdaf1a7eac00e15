"""Makes the error of every refusal by a rule."""

from __future__ import annotations

from party.errors import PolicyError


def refusal(party: str, rule: str, what: str, *, expected: str, received: str, fix: str = "") -> PolicyError:
    """Makes the error of a refusal.

    Args:
        party: name of the party whose rule it is.
        rule: name of the rule in the policy.
        what: what it is about.
        expected: what is allowed.
        received: what was requested.
        fix: what to do about it.

    Returns:
        The error; it names the rule.
    """
    text = f"refused by policy.{rule}: {what}"
    return PolicyError(text, where=party, expected=expected, received=received, fix=fix)
