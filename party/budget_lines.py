"""`party ledger --budget`: prints what was spent of a party's secret, what is left, and what that means."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from pathlib import Path

from party.configuration.budgets import SecretName
from party.configuration.party import load_party_configuration
from party.errors import ConfigurationError
from party.ledger.file import read_ledger
from party.output.quantities import share_text
from party.policy.budget_uses import BudgetUse, Holding, budget_use

OF_ONE: dict[SecretName, str] = {"labels": "a row's labels", "columns": "an entity's columns"}
EXACT: dict[SecretName, str] = {
    "labels": (
        "computed from the labels as they are: from gradients a party reads every training label off; metrics tell the"
        " coordinator a little with each pass"
    ),
    "columns": (
        "computed from the columns as they are: from hiddens the label party learns much of them; counts of cells tell"
        " the coordinator a little"
    ),
}
NOT_TAKEN_BACK = "No epsilon bounds that, and no protection that is switched on later takes it back."


def budget_lines(use: BudgetUse) -> Iterator[str]:
    """Says what was spent, for people.

    Args:
        use: as it was read.

    Yields:
        Lines of text.
    """
    yield f"{use.secret}: {_budget(use)}"
    if not use.alone:
        yield "  nobody holds anything"
    for held in use.alone:
        yield f"  {held.receivers[0]} holds {_held(held)}"
    if len(use.alone) > 1:
        yield f"  together they hold {_held(use.together)}"
    if use.pooled is not None:
        yield f"  {' and '.join(use.pooled.receivers)} together: {_held(use.pooled)}"
    if use.together.epsilon:
        yield f"An epsilon of {use.together.epsilon} means: {_guesses(use.together.epsilon, use.secret)}"
        yield "More sessions at no more than a generation's epsilon cost nothing: they show the same draws."
    if use.together.exact:
        yield f"An exact release is {EXACT[use.secret]}. {NOT_TAKEN_BACK}"
    for dataset, times in use.exact_per_row.items():
        yield f"  released exactly: each row of dataset {dataset} {times:,.1f} times, on average"
    for coordinator, passes in use.exact_passes.items():
        yield f"  released exactly: metrics of {passes:,} passes to {coordinator}"
    for coordinator, datasets in use.exact_counts.items():
        yield f"  released exactly: counts of cells of datasets to {coordinator}, {datasets:,} times"


def read_budget(path: Path, pooled: Collection[str] = ()) -> BudgetUse:
    """Reads what was spent.

    Args:
        path: the party's YAML file.
        pooled: receivers of whom it is asked what they hold together.

    Raises:
        ConfigurationError: one of them has received nothing.
    """
    configuration = load_party_configuration(path)
    use = budget_use(configuration, read_ledger(configuration.path(configuration.state)), pooled)
    unknown = sorted(set(pooled) - set(use.together.receivers))
    if unknown:
        raise ConfigurationError(
            f"{', '.join(unknown)} received nothing of the {use.secret}",
            where="--pooled",
            expected=" or ".join(use.together.receivers) or "none",
        )
    return use


def _budget(use: BudgetUse) -> str:
    return "no budget" if use.budget is None else f"a budget of epsilon {use.budget}, of which {use.left} is left"


def _held(held: Holding) -> str:
    parts = ["exact releases"] if held.exact else []
    if held.generations:
        each = ", ".join(f"generation {number}: {epsilon}" for number, epsilon in held.generations.items())
        parts.append(f"epsilon {held.epsilon} ({each})")
    return " and ".join(parts)


def _guesses(epsilon: float, secret: SecretName) -> str:
    """The best guess between two values, as every mechanism of this epsilon bounds it."""
    right = 1.0 / (1.0 + math.exp(-epsilon))
    return (
        f"who holds it, knows everything else, and guesses which of two equally likely values {OF_ONE[secret]} have,"
        f" is right in at most {share_text(right, 1)} of cases."
    )
