"""The gRPC methods that a coordinator calls at a party: names, replies, and how each may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from party.pb import party_pb2 as pb

Reply = TypeVar("Reply", bound=Message)


@dataclass(frozen=True)
class Rpc(Generic[Reply]):
    """One method of the gRPC service `Party`.

    Attributes:
        name: the method's name.
        reply: message class of its replies.
        repeatable: whether a call without a reply may be sent again.
        streamed: whether it is sent over StreamCalls.
    """

    name: str
    reply: type[Reply]
    repeatable: bool = True
    streamed: bool = False


DESCRIBE = Rpc("Describe", pb.DescribeReply, repeatable=False)
PROBE = Rpc("Probe", pb.ProbeReply)
# Parties cache replies for repeated calls only after the handshake; before, a new session is opened instead.
OPEN = Rpc("Open", pb.OpenReply, repeatable=False)
AGREE = Rpc("Agree", pb.AgreeReply, repeatable=False)
AUTHENTICATE = Rpc("Authenticate", pb.AuthenticateReply, repeatable=False)
CONFIRM = Rpc("Confirm", pb.ConfirmReply, repeatable=False)
PRODUCE = Rpc("Produce", pb.ProduceReply)
CONSUME = Rpc("Consume", pb.ConsumeReply)
FORWARD = Rpc("Forward", pb.ForwardReply, streamed=True)
FUSE = Rpc("Fuse", pb.FuseReply, streamed=True)
BACKWARD = Rpc("Backward", pb.BackwardReply, streamed=True)
DECIDE = Rpc("Decide", pb.DecideReply)
FOLLOW = Rpc("Follow", pb.FollowReply)
SNAPSHOT = Rpc("Snapshot", pb.SnapshotReply, streamed=True)
PREPARE = Rpc("Prepare", pb.PrepareReply)
COMMIT = Rpc("Commit", pb.CommitReply)
REPORT = Rpc("Report", pb.ReportReply)
FINISH = Rpc("Finish", pb.FinishReply)
CLOSE = Rpc("Close", pb.CloseReply, repeatable=False)
