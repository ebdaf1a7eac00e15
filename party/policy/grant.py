"""The grant of one session: the only way to the owner's thresholds, rights, refusals and ledger entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from party.configuration.budgets import SecretName
from party.configuration.run import CodecKind
from party.cut.hidden import HiddenSpec
from party.errors import PolicyError
from party.ledger.entry import Kind
from party.policy.alignment_rules import AlignmentRules
from party.policy.budgets import Budgets
from party.policy.limits import CountedLimits
from party.policy.meter_rules import MeterRules
from party.policy.metric_rules import MetricRules
from party.policy.quality_rules import QualityRules
from party.policy.requests import Release, SessionRequest
from party.policy.rules import Policy
from party.policy.session_lines import SESSION_BYTES, SessionLines
from party.protocol.schedule import TrainingSchedule


class Grant:
    """A session that the owner allows, as far as is known what it will do.

    The grant also checks what is learned later: the schedule, the peers' hiddens, the rows behind a metric, and the
    most that would be released. Nothing may be released before `reserve` and `agreed`.

    Args:
        request: the coordinator's request, already checked.
        policy: the owner's rules.
        limits: the owner's limits.
        budgets: the owner's budgets.
        lines: writes the session's lines in the ledger.
        random_bytes: source of the random number that identifies the session's lines.
    """

    def __init__(
        self,
        request: SessionRequest,
        *,
        policy: Policy,
        limits: CountedLimits,
        budgets: Budgets,
        lines: SessionLines,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._request = request
        self._policy = policy
        self._limits = limits
        self._budgets = budgets
        self._lines = lines
        self._random_bytes = random_bytes

    @property
    def metrics(self) -> MetricRules:
        """Rules for the metrics that are released to the coordinator."""
        return self._policy.metrics

    @property
    def quality(self) -> QualityRules:
        """Rules for what the coordinator learns of the quality of a dataset."""
        return self._policy.quality(self._request.coordinator)

    @property
    def alignment(self) -> AlignmentRules:
        """Rules for the rows of an alignment."""
        return self._policy.alignment

    @property
    def meters(self) -> MeterRules:
        """Rules for the readings of the party's own meters."""
        return self._policy.meters

    def allows_codec(self, kind: CodecKind) -> bool:
        """Whether the tensors of a training batch may be encoded by a codec of this kind."""
        return self._policy.allows_codec(kind)

    def latest_generation(self, secret: SecretName) -> int:
        """The highest generation of draws that any session was charged for; 0 if none was.

        Args:
            secret: what was drawn.
        """
        return self._budgets.latest_generation(secret, self._lines.before)

    def check_run_owner(self, owner: str) -> None:
        """Refuses a run that another coordinator began.

        Args:
            owner: certificate name of the coordinator that began it.

        Raises:
            PolicyError: a rule refuses it; the error names the rule.
        """
        self._policy.check_run_owner(owner, self._request)

    def check_training(self, schedule: TrainingSchedule) -> None:
        """Refuses training parameters or batches that the owner does not allow.

        Args:
            schedule: schedule of the run.

        Raises:
            PolicyError: a rule refuses it; the error names the rule.
        """
        self._policy.check_training(self._request.run, schedule)

    def check_metric_rows(self, rows: int, what: str) -> None:
        """Refuses metrics over so few rows that they would reveal single ones.

        Args:
            rows: number of rows behind a metric.
            what: what the rows are, for the error.

        Raises:
            PolicyError: a rule refuses it; the error names the rule.
        """
        self._policy.check_metric_rows(rows, what)

    def check_outputs(self, specs: Sequence[HiddenSpec], sender: str) -> None:
        """Refuses hiddens with an aggregation that is not allowed.

        Args:
            specs: specs of the hiddens.
            sender: name of the party that sends them.

        Raises:
            PolicyError: a rule refuses it; the error names the rule.
        """
        self._policy.check_outputs(specs, sender)

    def reserve(self, release: Release) -> None:
        """Opens the session in the ledger, now that the most that it would release is known.

        Args:
            release: the most that the session can release.

        Raises:
            PolicyError: a rule refuses it; the error names the rule, and the ledger records the refusal.
            StorageError: the ledger cannot be written.
        """
        with self.recording_refusals():
            self._limits.check_release(self._request, release, self._lines.tally)
            self._budgets.check(release.charges, self._lines.before)
        self._lines.opened(release, self._random_bytes(SESSION_BYTES))

    def agreed(self) -> None:
        """Writes that all parties signed the session, so that releases may follow; does nothing the second time.

        Raises:
            StorageError: the ledger cannot be written; nothing may be released.
            SessionLostError: the session has ended.
        """
        self._lines.agreed()

    def ended(self, result: str, releases: Mapping[Kind, int]) -> None:
        """Writes how the session ended; does nothing the second time.

        Args:
            result: how it ended.
            releases: number of rows that were released, by kind.

        Raises:
            StorageError: the ledger cannot be written; the session then counts with the most that it could release.
        """
        self._lines.ended(result, releases)

    @contextmanager
    def recording_refusals(self) -> Iterator[None]:
        """Writes to the ledger if a rule refuses something within the context."""
        try:
            yield
        except PolicyError as error:
            self._lines.refused(error)
            raise
