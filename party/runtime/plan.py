"""The interface of a plan, and the narrow sets of calls that a plan may offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from party.alignment.joined_rows import JoinCounts
from party.ledger.entry import Kind
from party.pb.handshake_pb2 import Confirmation, DatasetRows, Hello, JoinStatement, TableStatement
from party.pb.party_pb2 import Envelope, MessageKind
from party.pb.tensor_pb2 import TensorSpec
from party.policy.quality_rules import ReleasedQuality
from party.policy.requests import Release
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.label_exchanges import LabelExchanges
from party.runtime.session_report import SessionReport
from party.runtime.session_work import SessionWork, no_work
from party.security.sealing import SealingKeys


class PairSecrets(Protocol):
    """What this party shares with each peer in one session, and with nobody else."""

    def pair_key(self, peer: str) -> bytes:
        """The 32 bytes for keyed digests.

        Args:
            peer: name of the peer.
        """

    def mask_secret(self, peer: str) -> bytes:
        """The 32 bytes for the masks of the session.

        Args:
            peer: name of the peer.
        """


@dataclass(frozen=True, kw_only=True)
class PlanFacts:
    """What is known of a plan before the parties agree.

    Attributes:
        datasets: the datasets as Hello states them.
        outputs: the hiddens that this party sends, as Hello states them.
        lineage: digest of the history that led to the weights.
        release: what the session would read, and the most that it would release.
        depth: maximum number of batches under way.
        joins: the joins of the label party, as Hello states them; of an alignment.
        tables: the tables of a feature party, as Hello states them; of an alignment.
    """

    datasets: Sequence[DatasetRows]
    outputs: Sequence[TensorSpec] = ()
    lineage: bytes = b""
    release: Release
    depth: int = 1
    joins: Sequence[JoinStatement] = ()
    tables: Sequence[TableStatement] = ()


@dataclass(frozen=True, kw_only=True)
class SessionOutline:
    """The remaining work of a session that is ready.

    Attributes:
        exchanges: number of exchanges in the session.
        steps: number of training steps in the session.
        position: position of the exchange to begin with.
        decisions: positions at which the label party decides whether to stop.
        passes: first position and number of batches of every pass over training rows.
        datasets: the datasets that the session has to align.
    """

    exchanges: int = 0
    steps: int = 0
    position: int = 0
    decisions: Sequence[int] = ()
    passes: Sequence[tuple[int, int]] = ()
    datasets: Sequence[str] = ()


@dataclass(frozen=True)
class SessionResult:
    """The results that a session wrote.

    Attributes:
        files: names of the files.
        rows: number of rows that the results cover.
        lineage: digest of the history that led to the weights.
        joins: how many rows found a partner; of an alignment, at a label party with joins.
        quality: what is released of the datasets, or tables, that the session read.
    """

    files: tuple[str, ...]
    rows: int
    lineage: bytes = b""
    joins: Sequence[JoinCounts] = ()
    quality: Sequence[ReleasedQuality] = field(default=(), kw_only=True)


class Agreement(Protocol):
    """What the parties agree on before anything is exchanged."""

    def agreed(self, hellos: Mapping[str, Hello]) -> None:
        """Checks and records the statements of every party, by party."""

    def confirmation(self, pair_key: bytes, peer: str) -> Confirmation:
        """A digest that must equal the peer's own.

        Args:
            pair_key: the 32 bytes that only this party and the peer know.
            peer: name of the peer.
        """


class Progress(Protocol):
    """The progress of a plan."""

    @property
    def step(self) -> int:
        """Number of training steps done so far."""

    @property
    def outline(self) -> SessionOutline:
        """The remaining work, once the session is ready."""


class Aligning(Protocol):
    """The calls of an alignment."""

    def produce(self, kind: MessageKind, dataset: str, *, receiver: str, index: int) -> tuple[Envelope, int]:
        """Seals the next message of a kind; returns it with the number of messages of the kind.

        Args:
            kind: kind of the message.
            dataset: name of the dataset.
            receiver: name of the peer.
            index: index of the message.
        """

    def consume(self, kind: MessageKind, dataset: str, *, sender: str, index: int, envelope: Envelope) -> int:
        """Opens the next message of a kind; returns the number of rows in common, as far as known.

        Args:
            kind: kind of the message.
            dataset: name of the dataset.
            sender: name of the peer.
            index: index of the message.
            envelope: the envelope, as the coordinator relayed it.
        """


class ExchangingBatches(Protocol):
    """The calls of a session that sends batches through the models."""

    def feature(self, call: str) -> FeatureExchanges:
        """A feature party's side; a label party refuses the call by its name.

        Args:
            call: name of the gRPC method.
        """

    def label(self, call: str) -> LabelExchanges:
        """The label party's side; a feature party refuses the call by its name.

        Args:
            call: name of the gRPC method.
        """

    def after_reply(self) -> None:
        """Does the work that can wait until a reply has been sent."""


class Checkpointing(Protocol):
    """The calls that make a session's state durable."""

    def snapshot(self, step: int) -> None:
        """Takes a snapshot of the state between two steps.

        Args:
            step: number of training steps so far.
        """

    def prepare(self, step: int) -> tuple[bytes, list[Envelope]]:
        """Makes the latest snapshot durable; returns its lineage and a voucher for every peer.

        Args:
            step: the step of the snapshot.
        """

    def commit(self, step: int, vouchers: Sequence[Envelope]) -> None:
        """Records that the checkpoint is durable at all parties.

        Args:
            step: the step of the checkpoint.
            vouchers: the vouchers that every peer sealed.
        """


@dataclass(frozen=True, kw_only=True)
class OfferedCalls:
    """The calls that a plan answers; None for those that do not belong to the purpose of its session.

    Attributes:
        alignment: the calls of an alignment.
        batches: the calls of a session with batches.
        check_meters: refuses a further batch where a meter read more than the owner accepts.
        report: makes a report, given the number of released step losses that the coordinator already has.
        checkpoints: the calls that write checkpoints in training.
        finish: writes the results of the session.
        work: what a session with batches has done so far; also to be called once it has ended.
        no_checkpoints: why there are no checkpoints, for the error.
        no_result: why there is no result, for the error.
    """

    alignment: Aligning | None = None
    batches: ExchangingBatches | None = None
    check_meters: Callable[[], None] = lambda: None
    report: Callable[[int], SessionReport] | None = None
    checkpoints: Checkpointing | None = None
    finish: Callable[[], SessionResult] | None = None
    work: Callable[[], SessionWork] = no_work
    no_checkpoints: str = "this session does not train"
    no_result: str = "this session has no result"


class SessionPlan(Protocol):
    """What one session does at one party, before and after the parties agree."""

    @property
    def facts(self) -> PlanFacts:
        """The facts that are known before the parties agree."""

    @property
    def agreement(self) -> Agreement:
        """What the parties agree on."""

    @property
    def progress(self) -> Progress:
        """The progress of the plan."""

    @property
    def offered(self) -> OfferedCalls:
        """The calls that the plan answers, once started."""

    @property
    def released(self) -> Mapping[Kind, int]:
        """Number of rows released so far, by kind."""

    def start(self, keys: SealingKeys, secrets: PairSecrets) -> None:
        """Prepares for the first message, once keys are agreed.

        Args:
            keys: the session's sealing keys.
            secrets: what this party shares with each peer.
        """

    def close(self) -> None:
        """Releases all resources."""
