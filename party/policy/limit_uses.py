"""The use of the limits, for the owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from party.configuration.party import PartyConfiguration
from party.ledger.entry import LedgerEntry
from party.ledger.tally import RELEASED_TO_PEERS, Tally
from party.policy.limits import COUNTED, counted_apart, named

SHOWN_RUN_CHARACTERS = 8


@dataclass(frozen=True)
class LimitUse:
    """The use of one limit.

    Attributes:
        what: what is counted.
        used: the use so far; a float if it is an average.
        allowed: the most that the policy allows.
    """

    what: str
    used: int | float
    allowed: int


def limit_uses(configuration: PartyConfiguration, entries: Sequence[LedgerEntry], now: datetime) -> Iterator[LimitUse]:
    """Computes the use of each limit of a party's policy.

    Args:
        configuration: the party's configuration.
        entries: all lines of the party's ledger.
        now: the current time, with a time zone.

    Yields:
        One use for each coordinator, peer, purpose and dataset that a limit counts, and each run that went back.
    """
    policy, tally = configuration.policy, Tally(entries)
    for coordinator in configuration.coordinators:
        what, used = f"sessions of {coordinator.name} within 24 hours", tally.opened_since(now, coordinator.name)
        yield LimitUse(what, used, policy.maximum_sessions_per_day)
    for peer in configuration.peers:
        what, used = f"alignments with {peer.name} within 24 hours", tally.alignments_since(now, peer.name)
        yield LimitUse(what, used, policy.maximum_alignments_per_day)
    for run_id in tally.restored_runs():
        what, used = f"returns of run {run_id[:SHOWN_RUN_CHARACTERS]} to a checkpoint", tally.restores(run_id)
        yield LimitUse(what, used, policy.maximum_restores)
    owns_tables = bool(configuration.data.tables)
    for dataset in counted_apart(sorted(configuration.data.datasets), owns_tables=owns_tables):
        for purpose, (rule, _) in COUNTED.items():
            yield LimitUse(f"{purpose} on {named(dataset)}", tally.sessions(purpose, dataset), getattr(policy, rule))
        times = float(tally.releases_per_row(dataset))
        what = f"{' and '.join(RELEASED_TO_PEERS)} per row of {named(dataset)}"
        yield LimitUse(what, times, policy.maximum_releases_per_row)
