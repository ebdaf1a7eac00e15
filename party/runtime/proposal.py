"""A coordinator's proposal of a session, and the proposal once it is granted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from party.configuration.run import RunConfiguration
from party.pb.handshake_pb2 import Purpose
from party.policy.grant import Grant
from party.protocol.checkpoints import Mark
from party.protocol.shuffled_column import ShuffledColumn
from party.runtime.context import PartyContext


@dataclass(frozen=True, kw_only=True)
class SessionProposal:
    """A session that a coordinator proposes.

    Attributes:
        coordinator: certificate name of the coordinator that proposes it.
        run_id: id of the run, 16 bytes.
        purpose: purpose of the session.
        start: the point of the run's history to start from.
        resume: whether the run began earlier.
        configuration: the run configuration as received.
        dataset: the dataset to evaluate or predict.
        realign: whether to align again datasets that are aligned already.
        without: feature parties of the run that the session leaves out, as received.
        continues: id of the finished run whose weights the run begins with, 16 bytes; empty without one.
        shuffled: the column that an evaluation shuffles among the rows, as received; None without one.
    """

    coordinator: str
    run_id: bytes
    purpose: Purpose
    start: Mark
    resume: bool
    configuration: bytes
    dataset: str
    realign: bool
    without: tuple[str, ...] = ()
    continues: bytes = b""
    shuffled: ShuffledColumn | None = None


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A granted proposal, with everything that a plan is made from.

    Attributes:
        context: the party's context.
        grant: the owner's grant.
        proposal: the proposal as received.
        run: the run configuration of the proposal.
        configuration_sha256: SHA-256 of the run configuration as received.
    """

    context: PartyContext
    grant: Grant
    proposal: SessionProposal
    run: RunConfiguration
    configuration_sha256: bytes

    @property
    def parties(self) -> tuple[str, ...]:
        """Names of the parties of the session, ascending: those of the run but for the ones left out."""
        return tuple(name for name in self.run.parties if name not in self.proposal.without)

    @property
    def run_id(self) -> bytes:
        """Id of the training run, 16 bytes."""
        return self.proposal.run_id

    @property
    def trains(self) -> bool:
        """Whether the session trains, so that it learns from labels."""
        return self.proposal.purpose in (Purpose.PURPOSE_TRAIN, Purpose.PURPOSE_MEASURE)

    @property
    def folder(self) -> Path:
        """Path of the run's folder, whether it exists or not."""
        return self.context.records.folder(self.proposal.run_id)
