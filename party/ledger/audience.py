"""Who receives what of a secret: the one table that charges are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from party.configuration.budgets import SecretName
from party.ledger.charge import NO_GENERATION, Charge
from party.ledger.entry import Kind

# Predictions stay at the label party, and ids are public to the parties that align them.
SECRET_OF: Mapping[Kind, SecretName] = {
    "hiddens": "columns",
    "gradients": "labels",
    "metrics": "labels",
    "data_quality": "columns",
}


@dataclass(frozen=True, kw_only=True)
class Audience:
    """The receivers of a session.

    Attributes:
        coordinator: name of the coordinator.
        peers: names of the other parties.
        label_party: name of the label party.
    """

    coordinator: str
    peers: Sequence[str]
    label_party: str

    def of(self, kind: Kind) -> Sequence[str]:
        """The receivers of one kind of release.

        Args:
            kind: the kind.

        Returns:
            Names of parties, or of the coordinator; none of what nobody receives.
        """
        match kind:
            case "hiddens":
                return (self.label_party,)
            case "gradients":
                return self.peers
            case "metrics" | "data_quality":
                return (self.coordinator,)
            case _:
                return ()

    def exact_charges(self, releases: Mapping[Kind, int]) -> tuple[Charge, ...]:
        """The charges of a session in which no mechanism protects anything.

        Args:
            releases: number of releases by kind.

        Returns:
            One for each secret that is released.
        """
        found: dict[SecretName, set[str]] = {}
        for kind, secret in SECRET_OF.items():
            if releases.get(kind, 0):
                found.setdefault(secret, set()).update(self.of(kind))
        return tuple(
            Charge(secret=secret, generation=NO_GENERATION, epsilon=None, audience=tuple(sorted(names)))
            for secret, names in found.items()
        )
