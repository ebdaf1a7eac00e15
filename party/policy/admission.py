"""The only way to a session: rules and limits grant it, and the ledger records it before anything is released."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from party.configuration.budgets import SecretName
from party.configuration.party import PartyConfiguration
from party.configuration.run import RunConfiguration
from party.errors import PolicyError
from party.ledger.entry import Content
from party.ledger.file import Ledger
from party.ledger.tally import Tally
from party.policy.budgets import Budgets
from party.policy.foreseen import Foresight
from party.policy.grant import Grant
from party.policy.limits import CountedLimits
from party.policy.metric_rules import MetricRules
from party.policy.requests import SessionRequest
from party.policy.rules import Policy
from party.policy.session_lines import SessionLines


class Admission:
    """Grants sessions, and answers questions about the policy outside of any session.

    Args:
        policy: the owner's rules.
        limits: the owner's limits.
        budgets: the owner's budgets.
        foresight: tells what would be refused of a run.
        ledger: the party's ledger.
        now: the current time, with a time zone.
        random_bytes: source of the random numbers that identify sessions.
    """

    def __init__(
        self,
        policy: Policy,
        limits: CountedLimits,
        budgets: Budgets,
        ledger: Ledger,
        *,
        foresight: Foresight,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._policy = policy
        self._limits = limits
        self._budgets = budgets
        self._foresight = foresight
        self._ledger = ledger
        self._now = now
        self._random_bytes = random_bytes

    @property
    def shares_schema(self) -> bool:
        """Whether the coordinator's errors may name columns and files of the data."""
        return self._policy.shares_schema

    @property
    def metrics(self) -> MetricRules:
        """What of the metrics the policy in force releases; a session that is open may have been granted more."""
        return self._policy.metrics

    def latest_generation(self, secret: SecretName) -> int:
        """The highest generation of draws that any session was charged for; 0 if none was.

        Args:
            secret: what was drawn.
        """
        return self._budgets.latest_generation(secret, self._ledger.entries)

    def may_name(self, coordinator: str, dataset: str) -> bool:
        """Whether a coordinator may learn that a dataset exists.

        Args:
            coordinator: the coordinator's certificate name.
            dataset: name of the dataset.
        """
        return self._policy.may_name(coordinator, dataset)

    def foreseen(self, coordinator: str, run: RunConfiguration) -> list[PolicyError]:
        """What would be refused of a run, as far as that can be told without its rows; writes nothing to the ledger.

        Args:
            coordinator: certificate name of the coordinator that asks.
            run: the run configuration.
        """
        return self._foresight.refusals(coordinator, run, Tally(self._ledger.entries), self._now())

    def admit(self, request: SessionRequest) -> Grant:
        """Grants a session, as far as that can be decided before any row is read.

        Args:
            request: the coordinator's request.

        Returns:
            The grant; the ledger has no entry of it before its `reserve`.

        Raises:
            PolicyError: a rule refuses it; the error names the rule, and the ledger records the refusal.
            StorageError: the ledger cannot be written.
        """
        peers = tuple(name for name in request.parties if name != self._policy.party)
        lines = SessionLines(self._ledger, request, peers, now=self._now)
        grant = Grant(
            request,
            policy=self._policy,
            limits=self._limits,
            budgets=self._budgets,
            lines=lines,
            random_bytes=self._random_bytes,
        )
        with grant.recording_refusals():
            self._policy.check_request(request)
            self._limits.check(request, peers, lines.tally, self._now())
        return grant


def make_admission(
    configuration: PartyConfiguration,
    ledger: Ledger,
    *,
    now: Callable[[], datetime],
    random_bytes: Callable[[int], bytes],
) -> Admission:
    """Makes the admission of a party from the policy in its configuration.

    Args:
        configuration: the party's configuration.
        ledger: the party's ledger.
        now: the current time, with a time zone.
        random_bytes: source of the random numbers that identify sessions.
    """
    owns_tables = bool(configuration.data.tables)
    limits = CountedLimits(configuration.party, configuration.policy, owns_tables=owns_tables)
    budgets = Budgets(configuration.party, configuration.label_party, configuration.policy.budgets)
    policy = Policy(configuration)
    foresight = Foresight(configuration, policy, limits)
    return Admission(policy, limits, budgets, ledger, foresight=foresight, now=now, random_bytes=random_bytes)


def record_start(ledger: Ledger, version: str) -> None:
    """Writes that the party started, after an end for every session that a former process left open.

    Args:
        ledger: the party's ledger.
        version: version of this software.
    """
    for entry in Tally(ledger.entries).unfinished():
        content = Content.model_validate(entry.model_dump(include=set(Content.model_fields)))
        # What it released is not known: it counts with the most that it could have released.
        most = entry.releases if entry.event == "agreed" else {}
        update = {
            "event": "ended",
            "releases": most,
            "charges": None,  # the line before has them
            "result": "interrupted: the process ended",
        }
        ledger.append(content.model_copy(update=update))
    ledger.append(Content(event="started", result=f"version {version}"))
