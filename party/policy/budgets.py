"""The budgets of epsilon, which hold over all runs, restarts and coordinators."""

from __future__ import annotations

from collections.abc import Sequence

from party.configuration.budgets import BudgetSection, BudgetsSection, SecretName
from party.errors import PolicyError
from party.ledger.account import Account, as_written, charges_by_session
from party.ledger.charge import NO_GENERATION, Charge
from party.ledger.entry import LedgerEntry
from party.policy.refusals import refusal

RAISE = "its owner sees with `party ledger --budget` what used it up, and may raise it"
PROTECT = "its owner has them protected by a mechanism, or removes the budget"
ACCEPT = "it cannot be taken back: its owner sees it with `party ledger --budget`, and may set exact_releases: past"


class Budgets:
    """Checks what a session would spend against what was spent before.

    Args:
        party: name of this party, for errors.
        label_party: name of the label party.
        section: the owner's budgets.
    """

    def __init__(self, party: str, label_party: str, section: BudgetsSection) -> None:
        self._party = party
        self._label_party = label_party
        self._section = section

    def check(self, charges: Sequence[Charge], before: Sequence[LedgerEntry]) -> None:
        """Refuses a session that would spend more than a budget.

        All receivers count as one: a budget bounds what they hold if they pool it.

        Args:
            charges: what the session would spend.
            before: all lines of the ledger.

        Raises:
            PolicyError: a budget refuses it; the error names the rule.
        """
        charged = {charge.secret for charge in charges}
        budgets = {secret: budget for secret, budget in self._section.by_secret.items() if secret in charged}
        if not budgets:
            return
        earlier = [one for made in charges_by_session(before, self._label_party).values() for one in made]
        for secret, budget in budgets.items():
            if budget.exact_releases != "any" and Account(charges).is_exact(secret):
                raise self._refusal(secret, budget, "an exact release: no mechanism protects them", PROTECT)
            if budget.exact_releases == "none" and Account(earlier).is_exact(secret):
                raise self._refusal(secret, budget, "an exact release in a session before", ACCEPT)
            spent = Account((*earlier, *charges)).of_mechanisms(secret)
            if spent > as_written(budget.epsilon):
                raise self._refusal(secret, budget, f"{float(spent)} with this session", RAISE)

    def latest_generation(self, secret: SecretName, before: Sequence[LedgerEntry]) -> int:
        """The highest generation of draws that any session was charged for, whatever the budgets; 0 if none was.

        Args:
            secret: what was drawn.
            before: all lines of the ledger.
        """
        earlier = (one for made in charges_by_session(before, self._label_party).values() for one in made)
        return max(Account(earlier).generations(secret), default=NO_GENERATION)

    def _refusal(self, secret: SecretName, budget: BudgetSection, received: str, fix: str) -> PolicyError:
        rule, what, most = f"budgets.{secret}", f"epsilon of the {secret}", f"at most {budget.epsilon}"
        return refusal(self._party, rule, what, expected=most, received=received, fix=fix)
