"""The gRPC service of a party: authorise, parse, call the session, encode."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from party import __version__
from party.errors import InternalError, SessionError, SplitError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import DatasetRows, Purpose
from party.protocol.checkpoints import Mark
from party.protocol.deferred import Deferred
from party.protocol.metrics import PassMetrics
from party.protocol.stages import Stage
from party.runtime.alignment_plan import AlignmentPlan
from party.runtime.batch_plan import BatchPlan
from party.runtime.context import PartyContext
from party.runtime.desk import Owner, SessionDesk
from party.runtime.openings import Proposal, open_session
from party.runtime.session import Session
from party.runtime.training_plan import TrainingPlan
from party.security.fields import has_at_most_fields
from party.security.handshake import PROTOCOL
from party.transport.conversations import Answer, Behaviour, Conversations
from party.transport.errors import error_text, error_to_status

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply")
CallerName = Callable[[grpc.ServicerContext], str]
MAXIMUM_CONTROL_BYTES = 4 << 20  # of calls that carry no tensors
MAXIMUM_FIELDS = 1024  # of any request: some for each party

logger = logging.getLogger(__name__)


class PartyService:
    """Answers the calls of coordinators.

    Requests arrive as bytes: a caller is authorised before anything is parsed.

    Args:
        context: of the party.
        desk: holds the open session.
        caller_name: tells which coordinator made a call; raises where none may.
    """

    def __init__(self, context: PartyContext, desk: SessionDesk, caller_name: CallerName) -> None:
        self._context = context
        self._desk = desk
        self._caller_name = caller_name
        self._conversations = Conversations(
            context.party,
            {
                "Forward": self._behaviour(pb.ForwardRequest, self.forward, MAXIMUM_CONTROL_BYTES),
                "Fuse": self._behaviour(pb.FuseRequest, self.fuse),
                "Backward": self._behaviour(pb.BackwardRequest, self.backward),
                "Snapshot": self._behaviour(pb.SnapshotRequest, self.snapshot, MAXIMUM_CONTROL_BYTES),
            },
            caller_name,
            self._go_on,
        )

    def handler(self) -> grpc.GenericRpcHandler:
        """The handler to add to a server."""
        calls = {
            "Describe": self._behaviour(pb.DescribeRequest, self.describe, MAXIMUM_CONTROL_BYTES),
            "Probe": self._behaviour(pb.ProbeRequest, self.probe, MAXIMUM_CONTROL_BYTES),
            "Open": self._behaviour(pb.OpenRequest, self.open, MAXIMUM_CONTROL_BYTES),
            "Agree": self._behaviour(pb.AgreeRequest, self.agree, MAXIMUM_CONTROL_BYTES),
            "Authenticate": self._behaviour(pb.AuthenticateRequest, self.authenticate, MAXIMUM_CONTROL_BYTES),
            "Confirm": self._behaviour(pb.ConfirmRequest, self.confirm, MAXIMUM_CONTROL_BYTES),
            "Produce": self._behaviour(pb.ProduceRequest, self.produce, MAXIMUM_CONTROL_BYTES),
            "Consume": self._behaviour(pb.ConsumeRequest, self.consume),
            **self._conversations.behaviours,
            "Decide": self._behaviour(pb.DecideRequest, self.decide, MAXIMUM_CONTROL_BYTES),
            "Follow": self._behaviour(pb.FollowRequest, self.follow, MAXIMUM_CONTROL_BYTES),
            "Prepare": self._behaviour(pb.PrepareRequest, self.prepare, MAXIMUM_CONTROL_BYTES),
            "Commit": self._behaviour(pb.CommitRequest, self.commit, MAXIMUM_CONTROL_BYTES),
            "Report": self._behaviour(pb.ReportRequest, self.report, MAXIMUM_CONTROL_BYTES),
            "Finish": self._behaviour(pb.FinishRequest, self.finish, MAXIMUM_CONTROL_BYTES),
            "Close": self._behaviour(pb.CloseRequest, self.close, MAXIMUM_CONTROL_BYTES),
        }
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(_unary(behaviour)) for name, behaviour in calls.items()
        }
        methods["Converse"] = grpc.stream_stream_rpc_method_handler(self._conversations.converse)
        return grpc.method_handlers_generic_handler("split.v1.Party", methods)

    def hang_up(self) -> None:
        """Ends the open conversations, so that the server can stop; calls under way are answered."""
        self._conversations.hang_up()

    def describe(self, request: pb.DescribeRequest, raw: bytes, caller: str) -> pb.DescribeReply:
        """What this party is and does at the moment."""
        configuration = self._context.configuration
        reply = pb.DescribeReply(
            party=configuration.party,
            code_version=__version__,
            protocol=PROTOCOL,
            role=self._context.role,
            state="idle",
            datasets=[
                DatasetRows(dataset=name, rows=self._context.tables.table(name).rows)
                for name in self._context.tables.datasets
            ],
        )
        current = self._desk.current
        if current is not None:
            run_id, session = current
            reply.run_id, reply.state, reply.step = run_id, session.stage.value, session.plan.step
        return reply

    def probe(self, request: pb.ProbeRequest, raw: bytes, caller: str) -> pb.ProbeReply:
        """As many zeros as are asked for: shows how long messages take."""
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
        proposal = Proposal(
            run_id=request.session.run_id,
            purpose=request.purpose,
            start=Mark(request.start_step, request.lineage),
            resume=request.resume,
            configuration=request.configuration,
            dataset=request.dataset,
            realign=request.realign,
        )
        owner = Owner(caller, request.session.lease)
        session = self._desk.open(
            owner,
            proposal.run_id,
            lambda: open_session(self._context, proposal),
            request.session.incarnation,
        )
        logger.info("run %s: opened by %s", proposal.run_id.hex()[:8], caller)
        return pb.OpenReply(hello=session.hello)

    def agree(self, request: pb.AgreeRequest, raw: bytes, caller: str) -> pb.AgreeReply:
        """Signs what all parties state."""
        session = self._session(request.session, caller)
        return pb.AgreeReply(signature=session.agree(request.hellos))

    def authenticate(self, request: pb.AuthenticateRequest, raw: bytes, caller: str) -> pb.AuthenticateReply:
        """Verifies what all parties signed."""
        session = self._session(request.session, caller)
        return pb.AuthenticateReply(confirmations=session.authenticate(request.signatures))

    def confirm(self, request: pb.ConfirmRequest, raw: bytes, caller: str) -> pb.ConfirmReply:
        """Verifies that all parties loaded the same rows; the session is ready then."""
        session = self._session(request.session, caller)
        session.confirm(request.confirmations)
        logger.info("run %s: agreed with every party", request.session.run_id.hex()[:8])
        plan = session.plan
        return pb.ConfirmReply(
            exchanges=plan.exchanges,
            steps=plan.steps,
            datasets=plan.pending,
            decisions=plan.decisions,
            position=plan.position,
            passes=[pb.TrainingPass(position=position, batches=batches) for position, batches in plan.passes],
        )

    def produce(self, request: pb.ProduceRequest, raw: bytes, caller: str) -> bytes:
        """The next message of an alignment."""
        session = self._session(request.session, caller)
        call = ("Produce", request.kind, request.dataset, request.receiver, request.index)

        def compute() -> bytes:
            plan = _alignment(session)
            envelope, total = plan.produce(request.kind, request.dataset, request.receiver, request.index)
            return pb.ProduceReply(envelope=envelope, total=total).SerializeToString()

        return session.calls.answer(call, raw, compute)

    def consume(self, request: pb.ConsumeRequest, raw: bytes, caller: str) -> bytes:
        """Takes the next message of an alignment."""
        session = self._session(request.session, caller)
        call = ("Consume", request.kind, request.dataset, request.sender, request.index)

        def compute() -> bytes:
            plan = _alignment(session)
            rows = plan.consume(request.kind, request.dataset, request.sender, request.index, request.envelope)
            return pb.ConsumeReply(rows_in_common=rows).SerializeToString()

        return session.calls.answer(call, raw, compute)

    def forward(self, request: pb.ForwardRequest, raw: bytes, caller: str) -> bytes:
        """The sealed hiddens of a batch."""
        session = self._session(request.session, caller)

        def compute() -> bytes:
            feature = _batches(session).feature
            if feature is None:
                raise SessionError("Forward is for feature parties", where=self._context.party)
            envelope = feature.forward(request.position)
            return pb.ForwardReply(hidden=envelope).SerializeToString()

        return session.calls.answer(("Forward", request.position), raw, compute)

    def fuse(self, request: pb.FuseRequest, raw: bytes, caller: str) -> bytes | Deferred[bytes]:
        """Takes the hiddens of a batch; yields the sealed gradients in training."""
        session = self._session(request.session, caller)

        def compute() -> Deferred[bytes]:
            label = _batches(session).label
            if label is None:
                raise SessionError("Fuse is for the label party", where=self._context.party)
            gradients = label.fuse(request.position, request.hiddens)
            reply = Deferred(lambda: pb.FuseReply(gradients=gradients.result()).SerializeToString())
            if gradients.there:
                reply.result()
            return reply

        return session.calls.begin(("Fuse", request.position), raw, compute)

    def backward(self, request: pb.BackwardRequest, raw: bytes, caller: str) -> bytes:
        """Takes the gradients of a batch; yields the hiddens of the next one in training."""
        session = self._session(request.session, caller)

        def compute() -> bytes:
            feature = _batches(session).feature
            if feature is None:
                raise SessionError("Backward is for feature parties", where=self._context.party)
            return pb.BackwardReply(
                next_hidden=feature.backward(request.position, request.gradient)
            ).SerializeToString()

        return session.calls.answer(("Backward", request.position), raw, compute)

    def decide(self, request: pb.DecideRequest, raw: bytes, caller: str) -> bytes:
        """The sealed decision whether to go on after an epoch."""
        session = self._session(request.session, caller)

        def compute() -> bytes:
            label = _batches(session).label
            if label is None:
                raise SessionError("Decide is for the label party", where=self._context.party)
            decisions, stop = label.decide(request.position)
            return pb.DecideReply(decisions=decisions, stop=stop).SerializeToString()

        return session.calls.answer(("Decide", request.position), raw, compute)

    def follow(self, request: pb.FollowRequest, raw: bytes, caller: str) -> bytes:
        """Does what the label party decided."""
        session = self._session(request.session, caller)

        def compute() -> bytes:
            feature = _batches(session).feature
            if feature is None:
                raise SessionError("Follow is for feature parties", where=self._context.party)
            feature.follow(request.position, request.decision)
            return pb.FollowReply().SerializeToString()

        return session.calls.answer(("Follow", request.position), raw, compute)

    def snapshot(self, request: pb.SnapshotRequest, raw: bytes, caller: str) -> bytes:
        """Takes a copy of the state between two steps."""
        session = self._session(request.session, caller)

        def compute() -> bytes:
            _training(session).snapshot(request.step)
            return pb.SnapshotReply().SerializeToString()

        return session.calls.answer(("Snapshot", request.step), raw, compute)

    def prepare(self, request: pb.PrepareRequest, raw: bytes, caller: str) -> bytes:
        """Makes the latest copy durable."""
        session = self._session(request.session, caller)

        def compute() -> bytes:
            lineage, vouchers = _training(session).checkpoints.prepare(request.step)
            return pb.PrepareReply(lineage=lineage, vouchers=vouchers).SerializeToString()

        return session.checkpoint_calls.answer(("Prepare", request.step), raw, compute)

    def commit(self, request: pb.CommitRequest, raw: bytes, caller: str) -> bytes:
        """Notes that all parties have a checkpoint."""
        session = self._session(request.session, caller)

        def compute() -> bytes:
            _training(session).checkpoints.commit(request.step, request.vouchers)
            logger.info("run %s: step %d is safe at every party", request.session.run_id.hex()[:8], request.step)
            return pb.CommitReply().SerializeToString()

        return session.checkpoint_calls.answer(("Commit", request.step), raw, compute)

    def report(self, request: pb.ReportRequest, raw: bytes, caller: str) -> pb.ReportReply:
        """Metrics so far, as far as the policy releases them, and where the time went."""
        session = self._session(request.session, caller)
        plan = _batches(session)
        timings = [
            pb.Timing(activity=activity, seconds=seconds, count=count)
            for activity, (seconds, count) in plan.timings.totals().items()
        ]
        codecs = [
            pb.CodecCost(
                codec=cost.codec.model_dump_json(),
                bytes=cost.message_bytes,
                encode_seconds=cost.encode_seconds,
                decode_seconds=cost.decode_seconds,
            )
            for cost in plan.codec_costs
        ]
        reply = pb.ReportReply(timings=timings, codecs=codecs)
        label = plan.label
        if label is None:
            return reply
        if label.finished:
            label.wait_for_update()
        for step in label.step_losses.since(request.steps_seen):
            reply.steps.append(pb.StepReport(step=step.step, rows=step.rows, loss=step.loss))
        running = label.running()
        if running is not None:
            reply.running.CopyFrom(_metrics(running))
        for epoch in label.epochs:
            report = reply.epochs.add(epoch=epoch.epoch)
            if epoch.train is not None:
                report.train.CopyFrom(_metrics(epoch.train))
            if epoch.validation is not None:
                report.validation.CopyFrom(_metrics(epoch.validation))
        if label.best_epoch is not None:
            reply.best_epoch = label.best_epoch
        if label.inference is not None and session.purpose == Purpose.PURPOSE_EVALUATE:
            reply.evaluation.CopyFrom(_metrics(label.inference.metrics()))
        return reply

    def finish(self, request: pb.FinishRequest, raw: bytes, caller: str) -> bytes:
        """Writes what the session came to."""
        session = self._session(request.session, caller)

        def compute() -> bytes:
            files, rows = session.finish()
            logger.info("run %s: finished, wrote %s", request.session.run_id.hex()[:8], ", ".join(files) or "nothing")
            return pb.FinishReply(lineage=session.plan.lineage, files=files, rows=rows).SerializeToString()

        return session.calls.answer(("Finish",), raw, compute)

    def close(self, request: pb.CloseRequest, raw: bytes, caller: str) -> pb.CloseReply:
        """Ends a session, wherever it stands."""
        reference = request.session
        self._desk.close(Owner(caller, reference.lease), reference.run_id, reference.incarnation)
        logger.info("run %s: closed", request.session.run_id.hex()[:8])
        return pb.CloseReply()

    def _go_on(self) -> None:
        current = self._desk.current
        plan = None if current is None else current[1].plan
        if isinstance(plan, BatchPlan) and plan.label is not None:
            plan.label.go_on()

    def _session(self, reference: pb.SessionReference, caller: str) -> Session:
        return self._desk.session(Owner(caller, reference.lease), reference.run_id, reference.incarnation)

    def _behaviour(
        self,
        kind: type[Request],
        call: Callable[[Request, bytes, str], Message | bytes | Deferred[bytes]],
        maximum_bytes: int | None = None,
    ) -> Behaviour:
        """How a call is answered: its reply as bytes, or the error that it met, now or later."""

        def behaviour(raw: bytes, context: grpc.ServicerContext) -> Answer | Deferred[Answer]:
            def begin() -> bytes | Deferred[bytes]:
                caller = self._caller_name(context)
                reply = call(self._parse(kind, raw, maximum_bytes), raw, caller)
                return reply.SerializeToString() if isinstance(reply, Message) else reply

            reply = self._guarded(kind, begin)
            if not isinstance(reply, Deferred):
                return reply
            answer = Deferred(lambda: self._guarded(kind, reply.result))
            return answer.result() if reply.there else answer

        return behaviour

    def _guarded(self, kind: type[Message], compute: Callable[[], Reply]) -> Reply | SplitError:
        try:
            return compute()
        except SplitError as error:
            logger.warning("%s refused: %s", kind.DESCRIPTOR.name, error_text(error))
            return error
        except Exception as error:  # gRPC would send the text of any exception, data included, to the caller
            self._log_defect(kind, error)
            return InternalError(f"failed ({type(error).__name__}), see its log", where=self._context.party)

    def _parse(self, kind: type[Request], raw: bytes, maximum_bytes: int | None) -> Request:
        if maximum_bytes is not None and len(raw) > maximum_bytes:
            raise SessionError("request is too long", where=self._context.party, expected=f"at most {maximum_bytes}")
        try:
            if not has_at_most_fields(raw, MAXIMUM_FIELDS):
                raise DecodeError
            return kind.FromString(raw)
        except DecodeError:
            raise SessionError("request cannot be parsed", where=self._context.party) from None

    def _log_defect(self, kind: type[Message], error: Exception) -> None:
        """Logs where a defect arose; its text may hold data and is left out."""
        frames = _frames(error)
        logger.error("%s failed with %s at %s", kind.DESCRIPTOR.name, type(error).__name__, " < ".join(frames))


def _unary(behaviour: Behaviour) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def answer(raw: bytes, context: grpc.ServicerContext) -> bytes:
        answer = behaviour(raw, context)
        reply = answer.result() if isinstance(answer, Deferred) else answer
        if isinstance(reply, bytes):
            return reply
        status, details = error_to_status(reply)
        context.set_code(status)
        context.set_details(details)
        return b""

    return answer


def _frames(error: BaseException) -> Sequence[str]:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[::-1]


def _alignment(session: Session) -> AlignmentPlan:
    session.require(Stage.READY)
    if not isinstance(session.plan, AlignmentPlan):
        raise SessionError("this session aligns nothing")
    return session.plan


def _batches(session: Session) -> BatchPlan:
    session.require(Stage.READY)
    if not isinstance(session.plan, BatchPlan):
        raise SessionError("this session has no batches")
    return session.plan


def _training(session: Session) -> TrainingPlan:
    session.require(Stage.READY)
    if not isinstance(session.plan, TrainingPlan):
        raise SessionError("this session does not train")
    return session.plan


def _metrics(metrics: PassMetrics) -> pb.Metrics:
    values = [pb.NamedValue(name=name, value=value) for name, value in metrics.values.items()]
    return pb.Metrics(rows=metrics.rows, values=values)
