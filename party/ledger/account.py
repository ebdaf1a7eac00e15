"""The account of what was spent: the largest epsilon within a generation, added up over generations."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction

from party.configuration.budgets import SecretName
from party.ledger.audience import Audience
from party.ledger.charge import Charge
from party.ledger.entry import LedgerEntry
from party.ledger.tally import Tally


class Account:
    """Adds up charges.

    All draws of a secret in one generation come from one stream of events in time, and who knows the draw at the
    largest epsilon can compute those at smaller ones. So they cost the largest together. Draws of different
    generations are independent, so their epsilons add. All receivers see the same draws: several who pool what they
    hold have, in each generation, the largest of theirs.

    Args:
        charges: of any sessions, in any order.

    Reference:
        Koufogiannis, Han, Pappas, "Gradual release of sensitive data under differential privacy",
        https://arxiv.org/abs/1504.00429.
    """

    def __init__(self, charges: Iterable[Charge]) -> None:
        self._charges = tuple(charges)

    @property
    def secrets(self) -> tuple[SecretName, ...]:
        """Every secret that was charged, ascending."""
        return tuple(sorted({charge.secret for charge in self._charges}))

    def receivers(self, secret: SecretName) -> tuple[str, ...]:
        """Everybody who received something of a secret, ascending."""
        return tuple(sorted({name for charge in self._charges if charge.secret == secret for name in charge.audience}))

    def is_exact(self, secret: SecretName, receivers: Collection[str] | None = None) -> bool:
        """Whether a secret was released exactly.

        Args:
            secret: the secret.
            receivers: those who pool what they hold; everybody if None.
        """
        return any(charge.epsilon is None for charge in self._held(secret, receivers))

    def generations(self, secret: SecretName, receivers: Collection[str] | None = None) -> Mapping[int, Fraction]:
        """What mechanisms released of a secret; exact releases are left out.

        Args:
            secret: the secret.
            receivers: those who pool what they hold; everybody if None.

        Returns:
            Epsilon by generation, ascending.
        """
        largest: dict[int, Fraction] = {}
        for charge in self._held(secret, receivers):
            if charge.epsilon is not None:
                epsilon = as_written(charge.epsilon)
                largest[charge.generation] = max(epsilon, largest.get(charge.generation, epsilon))
        return dict(sorted(largest.items()))

    def of_mechanisms(self, secret: SecretName, receivers: Collection[str] | None = None) -> Fraction:
        """What mechanisms released of a secret in all generations together; exact releases are left out.

        Args:
            secret: the secret.
            receivers: those who pool what they hold; everybody if None.

        Returns:
            Epsilon.
        """
        return sum(self.generations(secret, receivers).values(), Fraction())

    def spent(self, secret: SecretName, receivers: Collection[str] | None = None) -> Fraction | float:
        """What was spent of a secret.

        Args:
            secret: the secret.
            receivers: those who pool what they hold; everybody if None.

        Returns:
            Epsilon; infinite after an exact release.
        """
        if self.is_exact(secret, receivers):
            return math.inf
        return self.of_mechanisms(secret, receivers)

    def _held(self, secret: SecretName, receivers: Collection[str] | None) -> Iterable[Charge]:
        return (
            charge
            for charge in self._charges
            if charge.secret == secret and (receivers is None or not set(receivers).isdisjoint(charge.audience))
        )


def as_written(epsilon: float) -> Fraction:
    """An epsilon as its shortest decimal: three of 0.1 are 0.3, which in binary they exceed."""
    return Fraction(repr(epsilon))


def charges_by_session(entries: Sequence[LedgerEntry], label_party: str) -> Mapping[str, tuple[Charge, ...]]:
    """Reads the charges of all sessions that the parties agreed on.

    A charge stands in the line before the first release, and stays whatever was released. A line without the field is
    older than charges: its session counts as an exact release of what it released.

    Args:
        entries: all lines of a ledger, in order.
        label_party: name of the label party.

    Returns:
        Charges by the session's id.
    """
    tally = Tally(entries)
    charges = {}
    for entry in tally.agreed():
        made = entry.charges
        if made is None:
            audience = Audience(coordinator=entry.coordinator, peers=entry.peers, label_party=label_party)
            made = audience.exact_charges(tally.released(entry))
        charges[entry.session] = made
    return charges
