"""One session of a party, from the agreement to the last message."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from google.protobuf.message import DecodeError

from party.errors import AlignmentError, PolicyError, SealError, SessionError
from party.pb.handshake_pb2 import Confirmation, HelloSignature
from party.pb.party_pb2 import Envelope, MessageKind
from party.policy.grant import Grant
from party.protocol.calls import RepeatableCalls
from party.protocol.phases import SessionPhase, SessionPhases
from party.runtime.plan import Aligning, Checkpointing, ExchangingBatches, SessionOutline, SessionPlan, SessionResult
from party.runtime.sent_file import SentMessages
from party.runtime.session_report import SessionReport
from party.runtime.session_work import SessionWork
from party.security.handshake import Handshake
from party.security.sealing import SealingKeys, Slot

Calls = TypeVar("Calls")
NO_BATCHES = "this session has no batches"
MAXIMUM_CONFIRMATION_BYTES = 4096
COMPLETED = "completed"
REFUSED = "a rule refused what a peer sent"


class PartySession:
    """One session at one party; it accepts calls in the order of its phases.

    Args:
        plan: what the session does.
        handshake: the handshake with the other parties.
        grant: the owner's grant, already reserved.
        party: name of this party.
        peers: names of the other parties of the session, ascending.
        note_sent: called at the end with what was sealed for others.
    """

    def __init__(
        self,
        plan: SessionPlan,
        handshake: Handshake,
        grant: Grant,
        *,
        party: str,
        peers: Sequence[str],
        note_sent: Callable[[SentMessages], None] = lambda sent: None,
    ) -> None:
        self._plan = plan
        self._handshake = handshake
        self._grant = grant
        self._party = party
        self._peers = tuple(peers)
        self._note_sent = note_sent
        self._keys: SealingKeys | None = None
        # Calls come in several threads: two calls of one phase at a time could mix the key shares of one agreement
        # with the signatures of another, or use nonces of the same keys twice.
        self._transition = threading.Lock()
        self._ending = threading.Lock()
        self._is_over = False
        self._phases = SessionPhases(party)
        self.calls = RepeatableCalls(party, plan.facts.depth + 1)
        # Separate from the batches: writing a checkpoint must not delay them.
        self.checkpoint_calls = RepeatableCalls(party)

    @property
    def peers(self) -> tuple[str, ...]:
        """Names of the other parties, ascending."""
        return self._peers

    @property
    def phase(self) -> SessionPhase:
        """The present phase."""
        return self._phases.current

    @property
    def step(self) -> int:
        """Number of training steps done so far."""
        return self._plan.progress.step

    @property
    def work(self) -> SessionWork:
        """What was done so far; it stays known once the session has ended."""
        return self._plan.offered.work()

    @property
    def repeated_calls(self) -> int:
        """Number of calls that were answered again with the bytes of their first reply."""
        return self.calls.repeated + self.checkpoint_calls.repeated

    @property
    def hello(self) -> bytes:
        """This party's statement, serialized as every party hashes it."""
        return self._handshake.hello

    @property
    def broken(self) -> bool:
        """Whether too many messages failed to open for the session to continue."""
        return self._keys is not None and self._keys.exhausted

    def agree(self, hellos: Sequence[bytes]) -> HelloSignature:
        """Checks all statements, signs them, and builds what depends on them.

        Args:
            hellos: the serialized hellos of every party, as relayed.

        Returns:
            This party's signature of all of them.

        Raises:
            HandshakeError: a statement is missing, was altered, or does not fit.
            PolicyError: the owner does not allow what a peer states.
        """
        with self._transition:
            self.require(SessionPhase.OPENED)
            signature = self._handshake.agree(hellos)
            with self.ended_by_refusals():
                self._plan.agreement.agreed(self._handshake.hellos)
            self._phases.leave(SessionPhase.OPENED)
            return signature

    def authenticate(self, signatures: Sequence[HelloSignature]) -> list[Envelope]:
        """Verifies all signatures, derives the keys, and seals a confirmation for every peer.

        Args:
            signatures: signatures of every party, as relayed.

        Raises:
            HandshakeError: a signature does not verify.
        """
        with self._transition:
            self.require(SessionPhase.AGREED)
            keys = self._handshake.authenticate(signatures)
            envelopes = []
            for peer in self._peers:
                confirmation = self._plan.agreement.confirmation(self._handshake.pair_key(peer), peer)
                content = confirmation.SerializeToString(deterministic=True)
                envelopes.append(keys.seal(_confirmation_slot(self._party, peer), content))
            self._keys = keys
            self._phases.leave(SessionPhase.AGREED)
            return envelopes

    def confirm(self, envelopes: Sequence[Envelope]) -> None:
        """Verifies that every peer has the same keys and the same rows in the same order; then starts the plan.

        Args:
            envelopes: the confirmations of every peer, as relayed.

        Raises:
            AlignmentError: a peer loaded other rows, or in another order.
            PolicyError: the owner does not allow what a peer stated.
            SealError: a confirmation is missing or does not verify.
        """
        with self._transition:
            keys = self.require_keys(SessionPhase.AUTHENTICATED)
            by_sender = {envelope.sender: envelope for envelope in envelopes}
            for peer in self._peers:
                if peer not in by_sender:
                    raise SealError("the confirmation is missing", where=f"{self._party}: handshake with {peer}")
                received = keys.open(_confirmation_slot(peer, self._party), by_sender[peer])
                mine = self._plan.agreement.confirmation(self._handshake.pair_key(peer), peer)
                self._compare(mine, received, peer)
            self._grant.agreed()  # no result of the plan leaves before this ledger line is durable
            try:
                with self.ended_by_refusals():
                    self._plan.start(keys, self._handshake)
            except BaseException:
                self._phases.fail()  # half started: a second attempt could begin in another state
                raise
            self._phases.leave(SessionPhase.AUTHENTICATED)

    def require(self, phase: SessionPhase) -> None:
        """Refuses a call that does not belong to the present phase."""
        self._phases.require(phase)

    def require_keys(self, phase: SessionPhase) -> SealingKeys:
        """The session's keys; refuses a call that does not belong to the present phase."""
        self.require(phase)
        if self._keys is None:
            raise SessionError("no keys are agreed", where=self._party)
        return self._keys

    def alignment(self) -> Aligning:
        """The calls of an alignment.

        Raises:
            SessionError: the session is in another phase, or has another purpose.
        """
        return self._offered(self._plan.offered.alignment, "this session aligns nothing")

    def batches(self) -> ExchangingBatches:
        """The calls that exchange batches.

        Raises:
            SessionError: the session is in another phase, or has another purpose.
            PolicyError: a meter read more than the owner accepts; the session has ended.
        """
        batches = self._offered(self._plan.offered.batches, NO_BATCHES)
        with self.ended_by_refusals():
            self._plan.offered.check_meters()
        return batches

    def checkpoints(self) -> Checkpointing:
        """The calls that write checkpoints.

        Raises:
            SessionError: the session is in another phase, or has another purpose.
        """
        return self._offered(self._plan.offered.checkpoints, self._plan.offered.no_checkpoints)

    def report(self, steps_seen: int) -> SessionReport:
        """Reports the timings and released metrics so far.

        Args:
            steps_seen: number of released step losses that the coordinator already has.

        Raises:
            SessionError: the session is in another phase, or has no batches.
        """
        return self._offered(self._plan.offered.report, NO_BATCHES)(steps_seen)

    def outline(self) -> SessionOutline:
        """The remaining work of a session that is ready."""
        return self._plan.progress.outline

    def after_reply(self) -> None:
        """Does the work that can wait until a reply has been sent."""
        batches = self._plan.offered.batches
        if batches is not None:
            batches.after_reply()

    @contextmanager
    def ended_by_refusals(self) -> Iterator[None]:
        """Ends the session if a rule refuses what a peer sent within the context; the ledger has the refusal before.

        Whoever could repeat what is refused could try it in many forms, and fill the ledger.
        """
        try:
            with self._grant.recording_refusals():
                yield
        except PolicyError:
            self._phases.fail()
            self.end(REFUSED)
            raise

    def finish(self) -> SessionResult:
        """Writes the session's results.

        Returns:
            The results that were written.

        Raises:
            SessionError: the session is in another phase, has no results, or is not complete.
        """
        result = self._offered(self._plan.offered.finish, self._plan.offered.no_result)()
        self._phases.leave(SessionPhase.READY)
        self._grant.ended(COMPLETED, self._plan.released)
        return result

    def end(self, reason: str) -> None:
        """Ends the session and releases all resources; does nothing the second time.

        Args:
            reason: why it ends, for the ledger; a session that has finished has its line already.
        """
        with self._ending:
            if self._is_over:
                return
            self._is_over = True
            keys = self._keys
            if keys is not None:
                keys.close()  # before the releases are counted: nothing may leave afterwards
                self._note_sent(keys.sent)
            try:
                self._plan.close()
            finally:
                self._grant.ended(reason, self._plan.released)

    def _offered(self, calls: Calls | None, refusal: str) -> Calls:
        """The calls of the plan, in a session that is ready; refuses calls that do not belong to its purpose."""
        self.require(SessionPhase.READY)
        if calls is None:
            raise SessionError(refusal, where=self._party)
        return calls

    def _compare(self, mine: Confirmation, received: bytes, peer: str) -> None:
        where = f"{self._party}: handshake with {peer}"
        try:
            if len(received) > MAXIMUM_CONFIRMATION_BYTES:
                raise DecodeError
            theirs = Confirmation.FromString(received)
        except DecodeError:
            raise SealError("the confirmation cannot be parsed", where=where) from None
        expected = {one.dataset: one.ids_hmac for one in mine.datasets}
        found = {one.dataset: one.ids_hmac for one in theirs.datasets}
        for dataset, digest in expected.items():
            if not hmac.compare_digest(digest, found.get(dataset, b"")):
                raise AlignmentError(
                    f"the rows of dataset {dataset} are not the same, or not in the same order, at {peer}",
                    where=self._party,
                    fix="run `coordinator align --force`",
                )


def _confirmation_slot(sender: str, receiver: str) -> Slot:
    return Slot(sender, receiver, MessageKind.MESSAGE_KIND_CONFIRM, "", index=0, rows=0)
