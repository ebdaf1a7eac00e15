"""The gRPC service of a party: each call passes its request to the session and encodes the reply."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from party.errors import SessionError
from party.pb import party_pb2 as pb
from party.protocol.checkpoints import Mark
from party.protocol.deferred import Deferred
from party.protocol.shuffled_column import ShuffledColumn
from party.runtime.context import PartyContext
from party.runtime.openings import check_proposal, open_session
from party.runtime.proposal import SessionProposal
from party.runtime.session import PartySession
from party.runtime.session_manager import Owner, SessionManager
from party.transport.answering import Answering, CallerName
from party.transport.call_streams import Behaviour, CallStreams
from party.transport.description import description
from party.transport.report_reply import finish_reply, report_reply

MAXIMUM_CONTROL_BYTES = 4 << 20  # of calls without tensors

logger = logging.getLogger(__name__)

Request = TypeVar("Request", bound=Message)
SessionCall: TypeAlias = Callable[[Request, bytes, PartySession], Message | bytes | Deferred[bytes]]


class PartyService:
    """Answers the calls of coordinators.

    Args:
        context: the party's context.
        sessions: manages the open session.
        caller_name: returns the name of the coordinator that made a call; raises if it may not call.
    """

    def __init__(self, context: PartyContext, sessions: SessionManager, caller_name: CallerName) -> None:
        self._context = context
        self._sessions = sessions
        self._answering = Answering(context, caller_name)
        in_session = self._in_session
        self._streams = CallStreams(
            context.party,
            {
                "Forward": in_session(pb.ForwardRequest, self.forward, MAXIMUM_CONTROL_BYTES),
                "Fuse": in_session(pb.FuseRequest, self.fuse),
                "Backward": in_session(pb.BackwardRequest, self.backward),
                "Snapshot": in_session(pb.SnapshotRequest, self.snapshot, MAXIMUM_CONTROL_BYTES),
            },
            authorise=caller_name,
            owner=lambda: self._sessions.owner_name,
            after_answer=self._after_reply,
        )

    def handler(self) -> grpc.GenericRpcHandler:
        """The handler to add to a server."""
        behaviour, in_session = self._answering.behaviour, self._in_session
        calls = {
            "Describe": behaviour(pb.DescribeRequest, self.describe, MAXIMUM_CONTROL_BYTES),
            "Probe": behaviour(pb.ProbeRequest, self.probe, MAXIMUM_CONTROL_BYTES),
            "Open": behaviour(pb.OpenRequest, self.open, MAXIMUM_CONTROL_BYTES),
            "Agree": in_session(pb.AgreeRequest, self.agree, MAXIMUM_CONTROL_BYTES),
            "Authenticate": in_session(pb.AuthenticateRequest, self.authenticate, MAXIMUM_CONTROL_BYTES),
            "Confirm": in_session(pb.ConfirmRequest, self.confirm, MAXIMUM_CONTROL_BYTES),
            "Produce": in_session(pb.ProduceRequest, self.produce, MAXIMUM_CONTROL_BYTES),
            "Consume": in_session(pb.ConsumeRequest, self.consume),
            **self._streams.behaviours,
            "Decide": in_session(pb.DecideRequest, self.decide, MAXIMUM_CONTROL_BYTES),
            "Follow": in_session(pb.FollowRequest, self.follow, MAXIMUM_CONTROL_BYTES),
            "Prepare": in_session(pb.PrepareRequest, self.prepare, MAXIMUM_CONTROL_BYTES),
            "Commit": in_session(pb.CommitRequest, self.commit, MAXIMUM_CONTROL_BYTES),
            "Report": in_session(pb.ReportRequest, self.report, MAXIMUM_CONTROL_BYTES),
            "Finish": in_session(pb.FinishRequest, self.finish, MAXIMUM_CONTROL_BYTES),
            "Close": behaviour(pb.CloseRequest, self.close, MAXIMUM_CONTROL_BYTES),
        }
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.stream_unary_rpc_method_handler(self._answering.unary(name, answer))
            for name, answer in calls.items()
        }
        methods["StreamCalls"] = grpc.stream_stream_rpc_method_handler(self._streams.serve)
        return grpc.method_handlers_generic_handler("split.v1.Party", methods)

    def use(self, context: PartyContext) -> None:
        """Uses another context, with another policy and list of peers, for the calls that follow.

        Args:
            context: the party's new context.
        """
        self._context = context
        self._answering.use(context)

    def close_streams(self) -> None:
        """Ends the open streams, so that the server can stop; calls under way are answered."""
        self._streams.close()

    def describe(self, request: pb.DescribeRequest, raw: bytes, caller: str) -> pb.DescribeReply:
        """Describes this party and its present state, and says what it would refuse of a run."""
        return description(self._context, self._sessions, request, caller)

    def probe(self, request: pb.ProbeRequest, raw: bytes, caller: str) -> pb.ProbeReply:
        """Returns as many zeros as requested, to measure how long messages take."""
        if request.reply_bytes > MAXIMUM_CONTROL_BYTES:
            raise SessionError(
                "a probe asks for too long a reply",
                where=self._context.party,
                expected=f"at most {MAXIMUM_CONTROL_BYTES}",
                received=str(request.reply_bytes),
            )
        return pb.ProbeReply(payload=bytes(request.reply_bytes))

    def open(self, request: pb.OpenRequest, raw: bytes, caller: str) -> pb.OpenReply:
        """Opens a session and states what this party would run."""
        proposal = SessionProposal(
            coordinator=caller,
            run_id=request.session.run_id,
            purpose=request.purpose,
            start=Mark(request.start_step, request.lineage),
            resume=request.resume,
            configuration=request.configuration,
            dataset=request.dataset,
            realign=request.realign,
            without=tuple(request.without),
            continues=request.continues,
            shuffled=_shuffled(request),
        )
        owner = Owner(caller, request.session.lease)
        session = self._sessions.open(
            owner,
            proposal.run_id,
            lambda: open_session(self._context, proposal),
            request.session.incarnation,
            admit=lambda: check_proposal(self._context, proposal),
        )
        logger.info("run %s: opened by %s", proposal.run_id.hex()[:8], caller)
        return pb.OpenReply(hello=session.hello)

    def agree(self, request: pb.AgreeRequest, raw: bytes, session: PartySession) -> pb.AgreeReply:
        """Signs the statements of all parties."""
        return pb.AgreeReply(signature=session.agree(request.hellos))

    def authenticate(self, request: pb.AuthenticateRequest, raw: bytes, session: PartySession) -> pb.AuthenticateReply:
        """Verifies the signatures of all parties."""
        return pb.AuthenticateReply(confirmations=session.authenticate(request.signatures))

    def confirm(self, request: pb.ConfirmRequest, raw: bytes, session: PartySession) -> pb.ConfirmReply:
        """Verifies that all parties loaded the same rows; then the session is ready."""
        session.confirm(request.confirmations)
        logger.info("run %s: agreed with every party", request.session.run_id.hex()[:8])
        outline = session.outline()
        return pb.ConfirmReply(
            exchanges=outline.exchanges,
            steps=outline.steps,
            datasets=outline.datasets,
            decisions=outline.decisions,
            position=outline.position,
            passes=[pb.TrainingPass(position=position, batches=batches) for position, batches in outline.passes],
        )

    def produce(self, request: pb.ProduceRequest, raw: bytes, session: PartySession) -> bytes:
        """Produces the next message of an alignment."""
        call = ("Produce", request.kind, request.dataset, request.receiver, request.index)

        def compute() -> bytes:
            envelope, total = session.alignment().produce(
                request.kind, request.dataset, receiver=request.receiver, index=request.index
            )
            return pb.ProduceReply(envelope=envelope, total=total).SerializeToString()

        return session.calls.answer(call, raw, compute)

    def consume(self, request: pb.ConsumeRequest, raw: bytes, session: PartySession) -> bytes:
        """Processes the next message of an alignment."""
        call = ("Consume", request.kind, request.dataset, request.sender, request.index)

        def compute() -> bytes:
            aligning, envelope = session.alignment(), request.envelope
            with session.ended_by_refusals():
                rows = aligning.consume(
                    request.kind, request.dataset, sender=request.sender, index=request.index, envelope=envelope
                )
            return pb.ConsumeReply(rows_in_common=rows).SerializeToString()

        return session.calls.answer(call, raw, compute)

    def forward(self, request: pb.ForwardRequest, raw: bytes, session: PartySession) -> bytes:
        """Returns the sealed hiddens of a batch."""

        def compute() -> bytes:
            feature = session.batches().feature("Forward")
            envelope = feature.forward(request.position)
            return pb.ForwardReply(hidden=envelope).SerializeToString()

        return session.calls.answer(("Forward", request.position), raw, compute)

    def fuse(self, request: pb.FuseRequest, raw: bytes, session: PartySession) -> bytes | Deferred[bytes]:
        """Processes the hiddens of a batch; returns the sealed gradients in training."""

        def compute() -> Deferred[bytes]:
            label = session.batches().label("Fuse")
            gradients = label.fuse(request.position, request.hiddens)
            reply = Deferred(lambda: pb.FuseReply(gradients=gradients.result()).SerializeToString())
            if gradients.is_ready:
                reply.result()
            return reply

        return session.calls.begin(("Fuse", request.position), raw, compute)

    def backward(self, request: pb.BackwardRequest, raw: bytes, session: PartySession) -> bytes:
        """Processes the gradients of a batch; returns the sealed hiddens of the next one, if any."""

        def compute() -> bytes:
            feature = session.batches().feature("Backward")
            return pb.BackwardReply(
                next_hidden=feature.backward(request.position, request.gradient)
            ).SerializeToString()

        return session.calls.answer(("Backward", request.position), raw, compute)

    def decide(self, request: pb.DecideRequest, raw: bytes, session: PartySession) -> bytes:
        """Returns the sealed decision whether to stop after an epoch."""

        def compute() -> bytes:
            label = session.batches().label("Decide")
            decisions, stop = label.decide(request.position)
            return pb.DecideReply(decisions=decisions, stop=stop).SerializeToString()

        return session.calls.answer(("Decide", request.position), raw, compute)

    def follow(self, request: pb.FollowRequest, raw: bytes, session: PartySession) -> bytes:
        """Follows the label party's decision."""

        def compute() -> bytes:
            feature = session.batches().feature("Follow")
            feature.follow(request.position, request.decision)
            return pb.FollowReply().SerializeToString()

        return session.calls.answer(("Follow", request.position), raw, compute)

    def snapshot(self, request: pb.SnapshotRequest, raw: bytes, session: PartySession) -> bytes:
        """Takes a snapshot of the state between two steps."""

        def compute() -> bytes:
            session.checkpoints().snapshot(request.step)
            return pb.SnapshotReply().SerializeToString()

        return session.calls.answer(("Snapshot", request.step), raw, compute)

    def prepare(self, request: pb.PrepareRequest, raw: bytes, session: PartySession) -> bytes:
        """Makes the latest snapshot durable."""

        def compute() -> bytes:
            lineage, vouchers = session.checkpoints().prepare(request.step)
            return pb.PrepareReply(lineage=lineage, vouchers=vouchers).SerializeToString()

        return session.checkpoint_calls.answer(("Prepare", request.step), raw, compute)

    def commit(self, request: pb.CommitRequest, raw: bytes, session: PartySession) -> bytes:
        """Records that the checkpoint is durable at all parties."""

        def compute() -> bytes:
            session.checkpoints().commit(request.step, request.vouchers)
            logger.info(
                "run %s: step %d is checkpointed at every party", request.session.run_id.hex()[:8], request.step
            )
            return pb.CommitReply().SerializeToString()

        return session.checkpoint_calls.answer(("Commit", request.step), raw, compute)

    def report(self, request: pb.ReportRequest, raw: bytes, session: PartySession) -> pb.ReportReply:
        """Returns the released metrics so far, and the timings."""
        report = session.report(request.steps_seen)
        return report_reply(report.within(self._context.admission.metrics))

    def finish(self, request: pb.FinishRequest, raw: bytes, session: PartySession) -> bytes:
        """Writes the session's results."""

        def compute() -> bytes:
            result = session.finish()
            written = ", ".join(result.files) or "nothing"
            logger.info("run %s: finished, wrote %s", request.session.run_id.hex()[:8], written)
            return finish_reply(result).SerializeToString()

        return session.calls.answer(("Finish",), raw, compute)

    def close(self, request: pb.CloseRequest, raw: bytes, caller: str) -> pb.CloseReply:
        """Ends a session in any phase."""
        reference = request.session
        self._sessions.close(Owner(caller, reference.lease), reference.run_id, reference.incarnation)
        logger.info("run %s: closed", request.session.run_id.hex()[:8])
        return pb.CloseReply()

    def _after_reply(self) -> None:
        current = self._sessions.current
        if current is not None:
            current[1].after_reply()

    def _in_session(
        self, kind: type[Request], call: SessionCall[Request], maximum_bytes: int | None = None
    ) -> Behaviour:
        """Makes the behaviour of a call that belongs to a session, which counts as heard until the call is answered."""

        def answer(request: Request, raw: bytes, caller: str) -> Message | bytes | Deferred[bytes]:
            reference: pb.SessionReference = getattr(request, "session")  # noqa: B009  # each of these has one
            owner = Owner(caller, reference.lease)
            session = self._sessions.session(owner, reference.run_id, reference.incarnation)
            with self._sessions.hearing(session):
                reply = call(request, raw, session)
            if not isinstance(reply, Deferred) or reply.is_ready:
                return reply

            def result() -> bytes:
                with self._sessions.hearing(session):
                    return reply.result()

            return Deferred(result)

        return self._answering.behaviour(kind, answer, maximum_bytes)


def _shuffled(request: pb.OpenRequest) -> ShuffledColumn | None:
    if not (request.shuffled_party or request.shuffled_column):
        return None
    return ShuffledColumn(request.shuffled_party, request.shuffled_column)
