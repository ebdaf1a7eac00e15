"""Opens sessions: parses what the coordinator proposes, checks it, and states what this party would run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from party import __version__
from party.configuration.run import RunConfiguration, run_configuration_from_bytes
from party.errors import SessionError
from party.pb.handshake_pb2 import Hello, Purpose
from party.protocol.checkpoints import ORIGIN, Mark
from party.runtime.alignment_plan import AlignmentPlan
from party.runtime.context import PartyContext, party_roles
from party.runtime.inference_plan import InferencePlan
from party.runtime.measuring_plan import MeasuringPlan
from party.runtime.session import Session
from party.runtime.training_plan import TrainingPlan
from party.security.handshake import PROTOCOL, Handshake


@dataclass(frozen=True)
class Proposal:
    """What a coordinator proposes to run.

    Attributes:
        run_id: 16 bytes.
        purpose: of the session.
        start: point of the run's history to start from.
        resume: whether the run began earlier.
        configuration: the run configuration as received.
        dataset: to evaluate or predict.
        realign: whether to align again what is aligned.
    """

    run_id: bytes
    purpose: Purpose
    start: Mark
    resume: bool
    configuration: bytes
    dataset: str
    realign: bool


def open_session(context: PartyContext, proposal: Proposal) -> Session:
    """Builds the session that a proposal asks for.

    Args:
        context: of the party.
        proposal: as received.

    Returns:
        The session, its Hello ready.

    Raises:
        SplitError: the proposal cannot, or may not, be run here.
    """
    run = run_configuration_from_bytes(proposal.configuration)
    context.policy.check_members(run, context.configuration.label_party)
    if proposal.start != ORIGIN and not (proposal.resume and proposal.purpose == Purpose.PURPOSE_TRAIN):
        raise SessionError("only a run that is resumed starts from a checkpoint", where=context.party)
    sha256 = hashlib.sha256(proposal.configuration).digest()
    plan = _make_plan(context, run, proposal, sha256)
    statement = Hello(
        protocol=PROTOCOL,
        code_version=__version__,
        run_id=proposal.run_id,
        purpose=proposal.purpose,
        party=context.party,
        role=context.role,
        parties=party_roles(run),
        configuration_sha256=sha256,
        start_step=proposal.start.step,
        lineage=plan.lineage,
        datasets=plan.datasets,
        outputs=plan.outputs,
        insecure=context.configuration.insecure,
        dataset=proposal.dataset,
    )
    peers = {name: context.peers[name] for name in run.parties if name != context.party}
    handshake = Handshake(context.identity(), statement, peers, context.random_bytes, context.now())
    return Session(context.party, sorted(peers), proposal.purpose, plan, handshake)


def _make_plan(
    context: PartyContext, run: RunConfiguration, proposal: Proposal, sha256: bytes
) -> AlignmentPlan | TrainingPlan | InferencePlan:
    match proposal.purpose:
        case Purpose.PURPOSE_ALIGN:
            return AlignmentPlan(context, run, proposal.realign)
        case Purpose.PURPOSE_TRAIN:
            return TrainingPlan(context, run, proposal.run_id, sha256, proposal.start, proposal.resume)
        case Purpose.PURPOSE_MEASURE:
            return MeasuringPlan(context, run, proposal.run_id, sha256)
        case Purpose.PURPOSE_EVALUATE | Purpose.PURPOSE_PREDICT:
            return InferencePlan(context, run, proposal.run_id, sha256, proposal.purpose, proposal.dataset)
    raise SessionError("purpose is not known", where=context.party)
