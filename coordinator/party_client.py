"""The client of a party: one method for each method of the gRPC service `Party`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from coordinator import rpcs
from coordinator.retry import RetryPolicy
from coordinator.transports import PartyTransport
from party import __version__
from party.errors import HandshakeError, IdentityError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import HelloSignature, Purpose
from party.protocol.checkpoints import Mark
from party.protocol.shuffled_column import ShuffledColumn
from party.security.printable import printable
from party.security.trust import TrustedName

SHOWN_VERSION_CHARACTERS = 32
CLOSE_TIMEOUT_SECONDS = 5.0
ALL_STEPS = 2**63


class PartyClient:
    """Calls one party.

    Methods named `begin_...` send the call and return a function that waits for its reply. Every method raises a
    `SplitError` if the party answers with an error, or if the connection stays lost for longer than calls are repeated.

    Args:
        name: of the party.
        address: host and port of the party.
        transport: sends the calls.
        trusted: the party's name and the certificates that may prove it; None without TLS.
        stopped: once set, calls are not repeated any more.
    """

    def __init__(
        self,
        name: str,
        address: str,
        transport: PartyTransport,
        *,
        trusted: TrustedName | None,
        stopped: threading.Event,
    ) -> None:
        self.name = name
        self.address = address
        self.transport = transport
        self.trusted = trusted
        self._stopped = stopped

    def reach(self, seconds: float, notify: Callable[[str], None] = lambda text: None) -> pb.DescribeReply:
        """Waits until the party answers, and checks its name and version.

        Args:
            seconds: longest wait.
            notify: called with a text if the party takes more than a moment.

        Returns:
            The party's description of itself.

        Raises:
            ConnectionLostError: it does not answer in time.
            IdentityError: a party with another name answers.
            HandshakeError: it runs another version.
        """
        described = RetryPolicy(seconds, self._stopped, notify=notify).run(self.describe)
        where = f"party {self.name} at {self.address}"
        if described.party != self.name:
            raise IdentityError("another party answers", where=where)
        if described.code_version != __version__:
            raise HandshakeError(
                "runs another version",
                where=where,
                expected=__version__,
                received=printable(described.code_version, SHOWN_VERSION_CHARACTERS),
                fix="install the same version everywhere",
            )
        return described

    def describe(self, configuration: bytes = b"") -> pb.DescribeReply:
        """Asks for name, version and state, without repeating the call.

        Args:
            configuration: of a run, to learn what the party would refuse of it; empty to ask about none.
        """
        return self.transport.call(rpcs.DESCRIBE, pb.DescribeRequest(configuration=configuration))

    def probe(self, payload: bytes, reply_bytes: int) -> pb.ProbeReply:
        """Measures the connection with a payload and a reply of zeros.

        Args:
            payload: bytes to send.
            reply_bytes: length of the reply's payload.

        Returns:
            The reply.
        """
        return self.transport.call(rpcs.PROBE, pb.ProbeRequest(payload=payload, reply_bytes=reply_bytes))

    def open(
        self,
        session: pb.SessionReference,
        purpose: Purpose,
        *,
        configuration: bytes,
        dataset: str,
        realign: bool,
        start: Mark,
        resume: bool,
        without: Sequence[str] = (),
        continues: bytes = b"",
        shuffled: ShuffledColumn | None = None,
    ) -> pb.OpenReply:
        """Opens a session.

        Args:
            session: to open.
            purpose: of the session.
            configuration: run configuration that the parties agree on, serialized.
            dataset: to evaluate or predict; empty for other purposes.
            realign: whether to align datasets again that are aligned already.
            start: checkpoint to start from.
            resume: whether the run was started in an earlier session.
            without: feature parties of the run that the session leaves out.
            continues: run_id of the finished run whose weights the run begins with; empty without one.
            shuffled: the column that an evaluation shuffles among the rows; None without one.

        Returns:
            The party's hello, with what it states about itself and the run.
        """
        request = pb.OpenRequest(
            session=session,
            purpose=purpose,
            configuration=configuration,
            dataset=dataset,
            realign=realign,
            start_step=start.step,
            lineage=start.lineage,
            resume=resume,
            without=without,
            continues=continues,
            shuffled_party="" if shuffled is None else shuffled.party,
            shuffled_column=0 if shuffled is None else shuffled.number,
        )
        return self.transport.call(rpcs.OPEN, request)

    def agree(self, session: pb.SessionReference, hellos: Iterable[bytes]) -> pb.AgreeReply:
        """Forwards the hellos of all parties, and makes the party sign the transcript."""
        return self.transport.call(rpcs.AGREE, pb.AgreeRequest(session=session, hellos=hellos))

    def authenticate(self, session: pb.SessionReference, signatures: Iterable[HelloSignature]) -> pb.AuthenticateReply:
        """Forwards the signatures of all parties."""
        request = pb.AuthenticateRequest(session=session, signatures=signatures)
        return self.transport.call(rpcs.AUTHENTICATE, request)

    def confirm(self, session: pb.SessionReference, confirmations: Iterable[pb.Envelope]) -> pb.ConfirmReply:
        """Forwards the confirmations for this party; the reply describes the session's schedule."""
        return self.transport.call(rpcs.CONFIRM, pb.ConfirmRequest(session=session, confirmations=confirmations))

    def produce(
        self, session: pb.SessionReference, kind: pb.MessageKind, *, dataset: str, receiver: str, index: int
    ) -> pb.ProduceReply:
        """Makes the party produce a message of an alignment.

        Args:
            session: of the alignment.
            kind: of the message.
            dataset: the dataset being aligned.
            receiver: name of the party that the message is for.
            index: number of the message among those of its kind, from 0.

        Returns:
            The sealed message, and how many messages of its kind there are.
        """
        request = pb.ProduceRequest(session=session, kind=kind, dataset=dataset, receiver=receiver, index=index)
        return self.transport.call(rpcs.PRODUCE, request)

    def consume(
        self,
        session: pb.SessionReference,
        kind: pb.MessageKind,
        *,
        dataset: str,
        sender: str,
        index: int,
        envelope: pb.Envelope,
    ) -> pb.ConsumeReply:
        """Delivers a message of an alignment to the party.

        Args:
            session: of the alignment.
            kind: of the message.
            dataset: the dataset being aligned.
            sender: name of the party that produced the message.
            index: number of the message among those of its kind, from 0.
            envelope: the sealed message.

        Returns:
            The reply, with the rows in common so far.
        """
        request = pb.ConsumeRequest(
            session=session, kind=kind, dataset=dataset, sender=sender, index=index, envelope=envelope
        )
        return self.transport.call(rpcs.CONSUME, request)

    def begin_forward(self, session: pb.SessionReference, position: int) -> Callable[[], pb.ForwardReply]:
        """Requests the hiddens of the batch at a position of the session from a feature party."""
        return self.transport.begin(rpcs.FORWARD, pb.ForwardRequest(session=session, position=position))

    def begin_fuse(
        self, session: pb.SessionReference, position: int, hiddens: Iterable[pb.Envelope]
    ) -> Callable[[], pb.FuseReply]:
        """Sends the hiddens of a batch to the label party; in training, the reply holds gradients."""
        return self.transport.begin(rpcs.FUSE, pb.FuseRequest(session=session, position=position, hiddens=hiddens))

    def begin_backward(
        self, session: pb.SessionReference, position: int, gradient: pb.Envelope | None
    ) -> Callable[[], pb.BackwardReply]:
        """Sends a feature party its gradient of a batch; the reply may hold the hiddens of a later batch."""
        request = pb.BackwardRequest(session=session, position=position, gradient=gradient)
        return self.transport.begin(rpcs.BACKWARD, request)

    def decide(self, session: pb.SessionReference, position: int) -> pb.DecideReply:
        """Makes the label party decide whether training continues after an epoch."""
        return self.transport.call(rpcs.DECIDE, pb.DecideRequest(session=session, position=position))

    def begin_follow(
        self, session: pb.SessionReference, position: int, decision: pb.Envelope | None
    ) -> Callable[[], pb.FollowReply]:
        """Sends the label party's decision to a feature party."""
        request = pb.FollowRequest(session=session, position=position, decision=decision)
        return self.transport.begin(rpcs.FOLLOW, request)

    def begin_snapshot(self, session: pb.SessionReference, step: int) -> Callable[[], pb.SnapshotReply]:
        """Makes the party copy its state in memory."""
        return self.transport.begin(rpcs.SNAPSHOT, pb.SnapshotRequest(session=session, step=step))

    def prepare(self, session: pb.SessionReference, step: int) -> pb.PrepareReply:
        """Makes the party write its latest copy to disk."""
        return self.transport.call(rpcs.PREPARE, pb.PrepareRequest(session=session, step=step))

    def commit(self, session: pb.SessionReference, step: int, vouchers: Iterable[pb.Envelope]) -> pb.CommitReply:
        """Commits a checkpoint.

        Args:
            session: of the run.
            step: of the checkpoint.
            vouchers: sealed statements of the other parties that they have the checkpoint on disk.

        Returns:
            The reply.
        """
        return self.transport.call(rpcs.COMMIT, pb.CommitRequest(session=session, step=step, vouchers=vouchers))

    def report(self, session: pb.SessionReference, *, steps_seen: int = ALL_STEPS) -> pb.ReportReply:
        """Asks for metrics and timings.

        Args:
            session: to report on.
            steps_seen: number of step reports that the coordinator already has; by default, no step report is sent.

        Returns:
            The report.
        """
        return self.transport.call(rpcs.REPORT, pb.ReportRequest(session=session, steps_seen=steps_seen))

    def finish(self, session: pb.SessionReference) -> pb.FinishReply:
        """Makes the party write the results of the session."""
        return self.transport.call(rpcs.FINISH, pb.FinishRequest(session=session))

    def close_session(self, session: pb.SessionReference) -> pb.CloseReply:
        """Closes a session in any state."""
        request = pb.CloseRequest(session=session)
        return self.transport.call(rpcs.CLOSE, request, timeout_seconds=CLOSE_TIMEOUT_SECONDS)

    def close_stream(self) -> None:
        """Closes the stream for the batches of a session, if it is open."""
        self.transport.close_stream()

    def close(self) -> None:
        """Closes the connection."""
        self.transport.close()
