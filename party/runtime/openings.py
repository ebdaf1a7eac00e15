"""Opens sessions: checks a coordinator's proposal, has it granted, and states what this party would run."""

from __future__ import annotations

import hashlib
import re

from party import __version__
from party.configuration.patterns import DATASET_PATTERN
from party.configuration.run import RunConfiguration, run_configuration_from_bytes
from party.errors import SessionError
from party.pb.handshake_pb2 import Hello, Purpose
from party.policy.requests import SessionRequest
from party.protocol.checkpoints import ORIGIN
from party.runtime.alignment_plan import alignment_plan
from party.runtime.context import PartyContext, party_roles
from party.runtime.inference_plan import inference_plan
from party.runtime.left_out import INFERENCE, check_left_out
from party.runtime.measuring_plan import measuring_plan
from party.runtime.plan import PlanFacts, SessionPlan
from party.runtime.proposal import Opening, SessionProposal
from party.runtime.sent_file import SentMessages, add_sent
from party.runtime.session import PartySession
from party.runtime.shuffled_columns import check_shuffled
from party.runtime.training_plan import training_plan
from party.security.handshake import Handshake
from party.security.printable import printable
from party.security.protocol import PROTOCOL

KNOWN_PURPOSES = frozenset(Purpose.values()) - {Purpose.PURPOSE_UNSPECIFIED}
RUN_ID_BYTES = 16
PURPOSES_OF_ONE_DATASET = frozenset((Purpose.PURPOSE_EVALUATE, Purpose.PURPOSE_PREDICT))


def open_session(context: PartyContext, proposal: SessionProposal) -> PartySession:
    """Builds the session for a proposal.

    Args:
        context: the party's context.
        proposal: the proposal as received.

    Returns:
        The session, with its Hello.

    Raises:
        SplitError: the proposal cannot be run here, or is not allowed.
    """
    opening = _granted(context, proposal)
    with opening.grant.recording_refusals():
        plan = _make_plan(opening)
    peers = {name: context.peers[name] for name in opening.parties if name != context.party}
    statement = _statement(opening, plan.facts)
    handshake = Handshake(context.identity(), statement, peers, random_bytes=context.random_bytes, now=context.now())
    opening.grant.reserve(plan.facts.release)
    folder = context.records.folder(opening.run_id)
    purpose = Purpose.Name(proposal.purpose).removeprefix("PURPOSE_").lower()

    def note(sent: SentMessages) -> None:
        add_sent(folder, sent, purpose, context.now())

    return PartySession(plan, handshake, opening.grant, party=context.party, peers=sorted(peers), note_sent=note)


def check_proposal(context: PartyContext, proposal: SessionProposal) -> None:
    """Refuses a proposal as far as that can be decided before any row is read; opens nothing.

    Args:
        context: the party's context.
        proposal: the proposal as received.

    Raises:
        SplitError: the proposal cannot be run here, or is not allowed.
    """
    _granted(context, proposal)


def _granted(context: PartyContext, proposal: SessionProposal) -> Opening:
    """Has a proposal granted; refuses what cannot be run here or is not allowed, before any row is read."""
    if proposal.purpose not in KNOWN_PURPOSES:
        raise SessionError("purpose is not known", where=context.party)
    if (proposal.resume or proposal.continues) and proposal.purpose != Purpose.PURPOSE_TRAIN:
        raise SessionError("only a training run is resumed or continues another", where=context.party)
    if proposal.continues and (len(proposal.continues) != RUN_ID_BYTES or proposal.continues == proposal.run_id):
        raise SessionError("the run to continue has no usable run_id", where=context.party)
    _check_dataset(context.party, proposal)
    run = run_configuration_from_bytes(proposal.configuration)
    check_left_out(context.party, proposal, run)
    check_shuffled(context.party, proposal, run)
    grant = context.admission.admit(_request(context.party, proposal, run))
    if proposal.start != ORIGIN and not proposal.resume:
        raise SessionError("only a run that is resumed starts from a checkpoint", where=context.party)
    return Opening(
        context=context,
        grant=grant,
        proposal=proposal,
        run=run,
        configuration_sha256=hashlib.sha256(proposal.configuration).digest(),
    )


def _check_dataset(party: str, proposal: SessionProposal) -> None:
    """Refuses a text that names no dataset, before it reaches an error, a line of the ledger or a statement."""
    if proposal.purpose not in INFERENCE:
        if proposal.dataset:
            raise SessionError("only an evaluation or a prediction names its dataset in the request", where=party)
    elif not re.fullmatch(DATASET_PATTERN, proposal.dataset):
        expected = "a letter, then at most 62 letters, digits, '_' and '-'"
        raise SessionError(
            "not the name of a dataset", where=party, expected=expected, received=printable(proposal.dataset)
        )


def _request(party: str, proposal: SessionProposal, run: RunConfiguration) -> SessionRequest:
    return SessionRequest(
        coordinator=proposal.coordinator,
        purpose=proposal.purpose,
        run_id=proposal.run_id,
        run=run,
        dataset=proposal.dataset,
        resume=proposal.resume,
        without=proposal.without,
        continues=proposal.continues,
        shuffles=proposal.shuffled is not None and proposal.shuffled.party == party,
    )


def _make_plan(opening: Opening) -> SessionPlan:
    match opening.proposal.purpose:
        case Purpose.PURPOSE_ALIGN:
            return alignment_plan(opening)
        case Purpose.PURPOSE_TRAIN:
            return training_plan(opening)
        case Purpose.PURPOSE_MEASURE:
            return measuring_plan(opening)
        case _:
            return inference_plan(opening)


def _statement(opening: Opening, facts: PlanFacts) -> Hello:
    """The statement of what this party would run; the handshake adds its key share and certificate."""
    context, proposal, shuffled = opening.context, opening.proposal, opening.proposal.shuffled
    return Hello(
        protocol=PROTOCOL,
        code_version=__version__,
        run_id=proposal.run_id,
        purpose=proposal.purpose,
        party=context.party,
        role=context.role,
        parties=party_roles(opening.parties, opening.run.label_party),
        configuration_sha256=opening.configuration_sha256,
        start_step=proposal.start.step,
        lineage=facts.lineage,
        datasets=facts.datasets,
        outputs=facts.outputs,
        insecure=context.configuration.insecure,
        dataset=proposal.dataset,
        shuffled_party="" if shuffled is None else shuffled.party,
        shuffled_column=0 if shuffled is None else shuffled.number,
        joins=facts.joins,
        tables=facts.tables,
    )
