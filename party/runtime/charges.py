"""What a session spends of its party's secret: the one place where a mechanism's epsilon comes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from party.configuration.budgets import SecretName
from party.ledger.audience import Audience
from party.ledger.charge import Charge
from party.ledger.entry import Kind
from party.runtime.proposal import Opening


@dataclass(frozen=True, kw_only=True)
class Protection:
    """The mechanism between a secret and everything that a session releases of it.

    Attributes:
        secret: the secret, all of it: every label of a row, or every declared column of an entity.
        generation: number of the draws, from 1. Another one begins as soon as two draws of one row or entity could be
            independent, or could show different things: with another key, another value of a known id, another list of
            labels or columns, other classes or levels, another way to split epsilon.
        epsilon: of the whole secret.
    """

    secret: SecretName
    generation: int
    epsilon: float


def charges_of(opening: Opening, most: Mapping[Kind, int], protection: Protection | None) -> tuple[Charge, ...]:
    """The charges of a session.

    Args:
        opening: the granted proposal.
        most: the most that the session would release, by kind.
        protection: the mechanism; None where the secret is released as it is.

    Returns:
        A charge for each secret that leaves the party.
    """
    context = opening.context
    audience = Audience(
        coordinator=opening.proposal.coordinator,
        peers=[name for name in opening.parties if name != context.party],
        label_party=opening.run.label_party,
    )
    # Columns of the label party have no account.
    counted = {kind: n for kind, n in most.items() if kind != "data_quality" or not context.configuration.holds_labels}
    return tuple(_protected(charge, protection) for charge in audience.exact_charges(counted))


def _protected(charge: Charge, protection: Protection | None) -> Charge:
    """A charge by the mechanism that protects its secret, if one does."""
    if protection is None or protection.secret != charge.secret:
        return charge
    return Charge(
        secret=charge.secret,
        generation=protection.generation,
        epsilon=protection.epsilon,
        audience=charge.audience,
    )
