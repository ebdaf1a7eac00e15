"""How a party describes itself to a coordinator, and what it would refuse of a run."""

from __future__ import annotations

import logging

from party import __version__
from party.configuration.run import run_configuration_from_bytes
from party.errors import SplitError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import DatasetRows
from party.runtime.context import PartyContext
from party.runtime.session_manager import SessionManager
from party.security.protocol import PROTOCOL
from party.transport.errors import bounded

IDLE = "idle"

logger = logging.getLogger(__name__)


def description(
    context: PartyContext, sessions: SessionManager, request: pb.DescribeRequest, caller: str
) -> pb.DescribeReply:
    """The reply to Describe.

    Args:
        context: the party's context.
        sessions: manages the open session.
        request: the coordinator's request.
        caller: certificate name of the coordinator.
    """
    reply = pb.DescribeReply(
        party=context.party,
        code_version=__version__,
        protocol=PROTOCOL,
        role=context.role,
        state=IDLE,
        unix_seconds=int(context.now().timestamp()),
        datasets=[DatasetRows(dataset=name, rows=rows) for name, rows in _named_rows(context, caller).items()],
    )
    if request.configuration:
        reply.refusals.extend(_refusals(context, request.configuration, caller))
    current = sessions.current
    if current is not None:
        run_id, session = current
        reply.run_id, reply.state, reply.step = run_id, session.phase.value, session.step
    return reply


def _named_rows(context: PartyContext, caller: str) -> dict[str, int]:
    """The rows of the datasets that a coordinator may name and that can be used."""
    tables = context.tables
    return tables.row_counts([name for name in tables.names if context.admission.may_name(caller, name)])


def _refusals(context: PartyContext, configuration: bytes, caller: str) -> list[pb.ForeseenRefusal]:
    """What Open would refuse, in the words of its errors."""
    found: list[SplitError]
    try:
        found = [*context.admission.foreseen(caller, run_configuration_from_bytes(configuration))]
    except SplitError as error:
        found = [error]
    logger.info("%s asked what of a run would be refused: %d", caller, len(found))
    told = [bounded(error.public_fields) for error in found]
    return [
        pb.ForeseenRefusal(what=one.what, expected=one.expected, received=one.received, fix=one.fix) for one in told
    ]
