"""What the owner's policy would refuse of a run, without a session and before any row is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from party.configuration.party import PartyConfiguration
from party.configuration.run import RunConfiguration
from party.errors import PolicyError
from party.ledger.tally import Tally
from party.pb.handshake_pb2 import Purpose
from party.policy.limits import CountedLimits
from party.policy.requests import SessionRequest
from party.policy.rules import Policy

PURPOSES = (Purpose.PURPOSE_ALIGN, Purpose.PURPOSE_TRAIN)
NO_RUN = bytes(16)  # run_id of a run that nobody has begun
CONCAT, SUM = "concat", "sum"
AGGREGATIONS: Mapping[str, Sequence[str]] = {  # of the hiddens of a built-in model, by its kind
    "deepfm": (CONCAT, SUM),
    "dnn": (CONCAT,),
    "bst": (CONCAT,),
    "mmoe": (CONCAT,),
}


class Foresight:
    """Tells which rules would refuse to align for a run, or to train it.

    What depends on rows is not known yet: the smallest batch of an epoch, rows behind a metric, releases per row, and
    what would be spent of a budget. A model of its owner's own says only when it is built how its hiddens are combined.

    Args:
        configuration: the party's configuration.
        policy: the owner's rules.
        limits: the owner's limits.
    """

    def __init__(self, configuration: PartyConfiguration, policy: Policy, limits: CountedLimits) -> None:
        self._configuration = configuration
        self._policy = policy
        self._limits = limits

    def refusals(self, coordinator: str, run: RunConfiguration, tally: Tally, now: datetime) -> list[PolicyError]:
        """Everything that would be refused, each error once.

        Args:
            coordinator: certificate name of the coordinator.
            run: the run configuration.
            tally: sums over the ledger.
            now: the current time, with a time zone.
        """
        found: dict[str, PolicyError] = {}
        for check in self._checks(coordinator, run, tally, now):
            try:
                check()
            except PolicyError as error:
                found.setdefault(str(error), error)
        return list(found.values())

    def _checks(
        self, coordinator: str, run: RunConfiguration, tally: Tally, now: datetime
    ) -> Iterator[Callable[[], None]]:
        peers = tuple(name for name in run.parties if name != self._policy.party)
        for purpose in PURPOSES:
            request = SessionRequest(
                coordinator=coordinator, purpose=purpose, run_id=NO_RUN, run=run, dataset="", resume=False
            )
            yield partial(self._policy.check_request, request)
            yield partial(self._limits.check, request, peers, tally, now)
        yield partial(self._policy.check_parameters, run)
        yield partial(self._policy.check_batch_size, run)
        yield partial(self._check_models, run)

    def _check_models(self, run: RunConfiguration) -> None:
        """Refuses aggregations that this party's own models need in the run."""
        sections = {"base": self._configuration.base_model, "fuse": self._configuration.fuse_model}
        for part, section in sections.items():
            if section is None:
                continue
            combined = AGGREGATIONS.get(section.kind, ())
            if run.training.secure_aggregation and combined:
                combined = (SUM,)
            self._policy.check_aggregations(combined, f"aggregation of this party's {part} model")
