"""What was spent of a party's secret and what is left, for the owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from party.configuration.budgets import BudgetSection, SecretName
from party.configuration.party import PartyConfiguration
from party.ledger.account import Account, as_written, charges_by_session
from party.ledger.entry import Kind, LedgerEntry
from party.ledger.tally import Tally

METRICS: Kind = "metrics"
COUNTS: Kind = "data_quality"


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What some receivers hold of a secret if they pool it.

    Attributes:
        receivers: names of parties and coordinators, ascending.
        generations: epsilon that mechanisms released, by generation.
        epsilon: their sum.
        exact: whether they also hold an exact release, which no epsilon bounds.
    """

    receivers: tuple[str, ...]
    generations: Mapping[int, float]
    epsilon: float
    exact: bool


@dataclass(frozen=True, kw_only=True)
class BudgetUse:
    """What was spent of a secret, and what is left.

    Attributes:
        secret: the secret.
        budget: the budget of epsilon; None without one.
        left: what is left of it; None without one.
        alone: what each receiver holds.
        together: what all of them hold.
        pooled: what those of them hold that were asked for; None if nobody was.
        exact_per_row: how often each row was released exactly to a party, on average, by dataset.
        exact_passes: number of passes whose metrics were released exactly, by coordinator.
        exact_counts: number of times that counts of a dataset's cells were released, by coordinator.
    """

    secret: SecretName
    budget: float | None
    left: float | None
    alone: tuple[Holding, ...]
    together: Holding
    pooled: Holding | None
    exact_per_row: Mapping[str, float]
    exact_passes: Mapping[str, int]
    exact_counts: Mapping[str, int]


def budget_use(
    configuration: PartyConfiguration, entries: Sequence[LedgerEntry], pooled: Collection[str] = ()
) -> BudgetUse:
    """Computes what a party spent of its secret: the labels at the label party, the columns at a feature party.

    Args:
        configuration: the party's configuration.
        entries: all lines of the party's ledger.
        pooled: receivers of whom it is asked what they hold together.
    """
    secret: SecretName = "labels" if configuration.holds_labels else "columns"
    charges = charges_by_session(entries, configuration.label_party)
    account = Account(one for made in charges.values() for one in made)
    receivers = account.receivers(secret)
    budget = configuration.policy.budgets.by_secret.get(secret)
    exact = {session for session, made in charges.items() if Account(made).is_exact(secret)}
    tally = Tally([entry for entry in entries if entry.session in exact])
    datasets = sorted(configuration.data.datasets) or tally.datasets()  # the owner of tables has no list of datasets
    per_row = {dataset: float(tally.releases_per_row(dataset)) for dataset in datasets}
    return BudgetUse(
        secret=secret,
        budget=None if budget is None else budget.epsilon,
        left=None if budget is None else _left(budget, account, secret),
        alone=tuple(_holding(account, secret, (name,)) for name in receivers),
        together=_holding(account, secret, receivers),
        pooled=_holding(account, secret, pooled) if pooled else None,
        exact_per_row={dataset: times for dataset, times in per_row.items() if times},
        exact_passes=_by_coordinator(tally, METRICS),
        exact_counts={} if configuration.holds_labels else _by_coordinator(tally, COUNTS),
    )


def _by_coordinator(tally: Tally, kind: Kind) -> Mapping[str, int]:
    """What sessions released of a kind, by coordinator that asked."""
    found: Counter[str] = Counter()
    for entry in tally.agreed():
        found[entry.coordinator] += tally.released(entry).get(kind, 0)
    return {name: count for name, count in sorted(found.items()) if count}


def _holding(account: Account, secret: SecretName, receivers: Collection[str]) -> Holding:
    generations = account.generations(secret, receivers)
    return Holding(
        receivers=tuple(sorted(receivers)),
        generations={number: float(epsilon) for number, epsilon in generations.items()},
        epsilon=float(account.of_mechanisms(secret, receivers)),
        exact=account.is_exact(secret, receivers),
    )


def _left(budget: BudgetSection, account: Account, secret: SecretName) -> float:
    if budget.exact_releases == "none" and account.is_exact(secret):
        return 0.0
    return max(0.0, float(as_written(budget.epsilon) - account.of_mechanisms(secret)))
