"""The batches of a session at one party: one side of their exchange, once keys are agreed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from party.channel.message_bytes import MessageBytes
from party.errors import SessionError
from party.ledger.entry import Kind
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.label_exchanges import LabelExchanges
from party.protocol.request_journal import RequestJournal
from party.protocol.timings import Timings
from party.runtime.batch_agreement import BatchAgreement
from party.runtime.batch_setup import BatchSetup
from party.runtime.exchange_assembly import ExchangeParts, feature_exchanges, label_exchanges
from party.runtime.plan import PairSecrets, SessionOutline
from party.runtime.recordings import SessionRecordings, session_recordings
from party.runtime.session_meters import SessionMeters
from party.runtime.session_work import SessionWork
from party.security.sealing import SealingKeys


class Batches:
    """Starts, reports on and ends the exchange of batches.

    Args:
        setup: the session's setup.
        agreement: what the session's parties agree on; it knows the peers' hiddens.
    """

    def __init__(self, setup: BatchSetup, agreement: BatchAgreement) -> None:
        self._setup = setup
        self._agreement = agreement
        self._party = setup.opening.context.party
        self._feature: FeatureExchanges | None = None
        self._label: LabelExchanges | None = None
        self._recordings: SessionRecordings | None = None
        self._meters: SessionMeters | None = None
        self._counted = MessageBytes()
        self.timings = Timings(setup.opening.context.monotonic)

    def start(
        self,
        keys: SealingKeys,
        secrets: PairSecrets,
        *,
        journal: RequestJournal | None = None,
        on_pass: Callable[[], None] = lambda: None,
        meters: SessionMeters | None = None,
    ) -> None:
        """Prepares for the first batch, once keys are agreed.

        Args:
            keys: the session's sealing keys.
            secrets: what this party shares with each peer.
            journal: records the requests and compares those that are repeated after the run went back to a checkpoint;
                None in a session without checkpoints.
            on_pass: called when a pass of training or over held-out rows has ended and its metrics are available.
            meters: watch what leaves; None where the owner configured none, and outside of training.

        Raises:
            ConfigurationError: a codec would not shorten the batches of training.
            StorageError: what arrives and leaves cannot be recorded.
        """
        self._recordings = session_recordings(self._setup)
        parts = ExchangeParts(
            setup=self._setup,
            peer_specs=self._agreement.peer_specs,
            keys=keys,
            secrets=secrets,
            timings=self.timings,
            counted=self._counted,
            recordings=self._recordings,
            journal=journal,
            on_pass=on_pass,
            meters=meters,
        )
        self._meters = meters
        if self._setup.opening.context.configuration.holds_labels:
            self._label = label_exchanges(parts)
        else:
            self._feature = feature_exchanges(parts)

    def feature(self, call: str) -> FeatureExchanges:
        """A feature party's side.

        Args:
            call: name of the gRPC method that needs it, for the error.

        Raises:
            SessionError: this is the label party.
        """
        if self._feature is None:
            raise SessionError(f"{call} is for feature parties", where=self._party)
        return self._feature

    def label(self, call: str) -> LabelExchanges:
        """The label party's side.

        Args:
            call: name of the gRPC method that needs it, for the error.

        Raises:
            SessionError: this is a feature party.
        """
        if self._label is None:
            raise SessionError(f"{call} is for the label party", where=self._party)
        return self._label

    @property
    def label_side(self) -> LabelExchanges | None:
        """The label party's side; None at a feature party and before the start."""
        return self._label

    @property
    def exchanges(self) -> FeatureExchanges | LabelExchanges:
        """Either side, once started."""
        exchanges = self._feature or self._label
        if exchanges is None:
            raise RuntimeError("the session was not started")
        return exchanges

    @property
    def step(self) -> int:
        """Number of training steps done so far."""
        exchanges = self._feature or self._label
        return exchanges.step if exchanges is not None else 0

    @property
    def outline(self) -> SessionOutline:
        """The remaining exchanges and steps, once started."""
        schedule, exchanges = self._setup.schedule, self.exchanges
        return SessionOutline(
            exchanges=schedule.exchanges,
            steps=schedule.steps,
            position=schedule.exchanges if exchanges.finished else exchanges.position,
            decisions=schedule.decisions,
            passes=schedule.passes,
        )

    @property
    def released(self) -> Mapping[Kind, int]:
        """Number of rows released so far, by kind."""
        if self._feature is not None:
            return {"hiddens": self._feature.sent_rows}
        if self._label is None:
            return {}
        return {"gradients": self._label.sent_rows, "metrics": self._label.passes_done}

    @property
    def work(self) -> SessionWork:
        """What the session has done so far, without its checkpoints."""
        sent: dict[Kind, int] = {}
        if self._feature is not None:
            sent = {"hiddens": self._feature.sent_rows}
        elif self._label is not None:
            sent = {"gradients": self._label.sent_rows}
        return SessionWork(
            steps=max(0, self.step - self._setup.opening.proposal.start.step),
            sent_rows=sent,
            message_bytes=self._counted.totals(),
            stage_seconds={stage: seconds for stage, (seconds, _) in self.timings.totals().items()},
        )

    def check_meters(self) -> None:
        """Refuses a further batch where a meter read more than the owner accepts.

        Raises:
            PolicyError: a limit was passed.
        """
        if self._meters is not None:
            self._meters.check()

    def after_reply(self) -> None:
        """Does what can wait until a reply has been sent: the label party's own update, then the meters."""
        if self._label is not None:
            self._label.finish_update()
        if self._meters is not None:
            self._meters.catch_up()

    def require_finished(self) -> None:
        """Refuses to write results before every batch is done.

        Raises:
            SessionError: a batch is not done.
        """
        exchanges = self._feature or self._label
        if exchanges is None or not exchanges.finished:
            raise SessionError("not every batch is done", where=self._party)
        if self._label is not None:
            self._label.wait_for_update()

    def close(self) -> None:
        """Waits for computations that have begun, and ends the recordings."""
        try:
            if self._label is not None:
                self._label.abandon()
            if self._meters is not None:
                self._meters.close()
        finally:
            if self._recordings is not None:
                self._recordings.close()
