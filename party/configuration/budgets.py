"""The owner's budgets of epsilon, one for each secret that a mechanism can protect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from party.configuration.strict import StrictModel

SecretName = Literal["labels", "columns"]  # all labels of a row; the declared columns of an entity


class BudgetSection(StrictModel):
    """The most that may be spent on one secret, for as long as the ledger exists.

    Attributes:
        epsilon: the most that all receivers together may hold.
        exact_releases: the exact releases, which no epsilon bounds, that are accepted beside the budget. `none`: a
            session is refused if it would release exactly, or if one before it did. `past`: those before are accepted.
            `any`: all are accepted; the budget then bounds only what mechanisms release.
    """

    epsilon: float = Field(gt=0, allow_inf_nan=False)
    exact_releases: Literal["none", "past", "any"] = "none"


class BudgetsSection(StrictModel):
    """The budgets of a party; a secret without one has no limit of epsilon.

    Attributes:
        labels: for the labels of a row, at the label party.
        columns: for the declared columns of an entity, at a feature party.
    """

    labels: BudgetSection | None = None
    columns: BudgetSection | None = None

    @property
    def by_secret(self) -> Mapping[SecretName, BudgetSection]:
        """The budgets that are set."""
        every: dict[SecretName, BudgetSection | None] = {"labels": self.labels, "columns": self.columns}
        return {secret: budget for secret, budget in every.items() if budget is not None}


def check_budgets(section: BudgetsSection, holds_labels: bool) -> None:
    """Refuses a budget for a secret that the party does not have.

    Args:
        section: the party's budgets.
        holds_labels: whether it is the label party.

    Raises:
        ValueError: a budget belongs to the other role.
    """
    if holds_labels and section.columns is not None:
        raise ValueError("policy.budgets.columns belongs to a feature party: the label party's have no account")
    if not holds_labels and section.labels is not None:
        raise ValueError("policy.budgets.labels belongs to the label party")


def budget_warnings(section: BudgetsSection, protections: Mapping[SecretName, float]) -> Iterator[str]:
    """Finds budgets that refuse every session, and those that do not bound everything.

    Args:
        section: the party's budgets.
        protections: epsilon of the mechanism that protects each secret.

    Yields:
        A sentence for each.
    """
    for secret, budget in section.by_secret.items():
        key, epsilon = f"policy.budgets.{secret}", protections.get(secret)
        if epsilon is None and budget.exact_releases != "any":
            yield f"{key}: no mechanism protects the {secret}, so every session that releases them is refused"
        if epsilon is not None and epsilon > budget.epsilon:
            yield (
                f"{key}: epsilon {budget.epsilon} is below the {epsilon} of the mechanism,"
                f" so every session that releases the {secret} is refused"
            )
        if budget.exact_releases != "none":
            yield f"{key}.exact_releases: {budget.exact_releases}: the budget does not count exact releases"
