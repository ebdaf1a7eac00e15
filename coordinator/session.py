"""One session with all parties: opened, agreed, used and closed."""

from __future__ import annotations

import contextlib
import secrets
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from cryptography import x509

from coordinator.connection import PartyConnection
from party.configuration.run import RunConfiguration
from party.errors import IdentityError, SplitError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import DatasetRows, Hello, Purpose
from party.protocol.checkpoints import ORIGIN, Mark
from party.security.certificates import PARSE_ERRORS, Usage
from party.security.clock import utc_now

RUN_ID_BYTES = 16
INCARNATION_BYTES = 16
CLOSE_TIMEOUT_SECONDS = 5.0

Result = TypeVar("Result")


@dataclass(frozen=True)
class Proposal:
    """What to run.

    Attributes:
        purpose: of the session.
        run_id: 16 bytes.
        lease: 32 bytes that show the parties that this is the same coordinator as before.
        configuration: what the parties agree on, as one byte string.
        dataset: to evaluate or predict.
        realign: whether to align again what is aligned.
        start: point of the run's history to start from.
        resume: whether the run began earlier.
    """

    purpose: Purpose
    run_id: bytes
    lease: bytes
    configuration: bytes
    dataset: str = ""
    realign: bool = False
    start: Mark = ORIGIN
    resume: bool = False


class Session:
    """A session that every party agreed to; leaving it closes it everywhere.

    Args:
        connections: by party.
        run: the run configuration.
        proposal: what to run.
    """

    def __init__(self, connections: Mapping[str, PartyConnection], run: RunConfiguration, proposal: Proposal) -> None:
        self.connections = connections
        self.run = run
        self.reference = pb.SessionReference(
            run_id=proposal.run_id, lease=proposal.lease, incarnation=secrets.token_bytes(INCARNATION_BYTES)
        )
        self.start = proposal.start
        self.position = 0
        self.exchanges = 0
        self.steps = 0
        self.decisions: frozenset[int] = frozenset()
        self._passes: list[tuple[int, int]] = []
        self.pending: Sequence[str] = ()
        self.datasets: dict[str, Sequence[DatasetRows]] = {}
        self._proposal = proposal
        self._threads = ThreadPoolExecutor(max_workers=len(connections), thread_name_prefix="party")

    @property
    def label(self) -> PartyConnection:
        """The label party."""
        return self.connections[self.run.label_party]

    @property
    def features(self) -> list[PartyConnection]:
        """The feature parties, ascending."""
        return [self.connections[name] for name in self.run.feature_parties]

    def __enter__(self) -> Self:
        """Opens the session at every party and lets them agree."""
        try:
            self._agree()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the session at every party that can still be reached."""
        self.close()

    def at_all(self, call: Callable[[PartyConnection], Result]) -> dict[str, Result]:
        """Does the same at every party at the same time.

        Args:
            call: what to do at a party.

        Returns:
            Results by party.

        Raises:
            SplitError: of the first party, by name, that failed.
        """
        futures = {name: self._threads.submit(call, connection) for name, connection in self.connections.items()}
        # All of them, also where one fails: a party that is still at work would not hear that it is over.
        wait(futures.values())
        return {name: future.result() for name, future in futures.items()}

    def pass_end(self, position: int) -> int | None:
        """Position after the last batch of the pass of training that a batch belongs to; None where it is of none."""
        place = bisect_right(self._passes, (position, self.exchanges)) - 1
        if place < 0 or position >= self._passes[place][1]:
            return None
        return self._passes[place][1]

    def inference_end(self, position: int) -> int:
        """Position after the last batch outside of training that follows from one on without another kind between."""
        others = [*self.decisions, *(start for start, _ in self._passes), self.exchanges]
        return min(other for other in others if other > position)

    @property
    def epochs_before(self) -> int:
        """Epochs that were complete before the batch that the session begins with."""
        return sum(end <= self.position for _, end in self._passes)

    def finish(self) -> dict[str, pb.FinishReply]:
        """Has every party write what the session came to."""
        return self.at_all(lambda party: party.call(party.stub.Finish, pb.FinishRequest(session=self.reference)))

    def close(self) -> None:
        """Ends the session at every party that can still be reached."""
        for connection in self.connections.values():
            connection.hang_up()
            with contextlib.suppress(Exception):
                connection.stub.Close(pb.CloseRequest(session=self.reference), timeout=CLOSE_TIMEOUT_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _agree(self) -> None:
        opened = self.at_all(self._open)
        hellos = [reply.hello for reply in opened.values()]
        agreed = self.at_all(
            lambda party: party.call_once(party.stub.Agree, pb.AgreeRequest(session=self.reference, hellos=hellos))
        )
        signatures = [reply.signature for reply in agreed.values()]
        authenticated = self.at_all(
            lambda party: party.call_once(
                party.stub.Authenticate, pb.AuthenticateRequest(session=self.reference, signatures=signatures)
            )
        )
        envelopes = [envelope for reply in authenticated.values() for envelope in reply.confirmations]

        def confirm(party: PartyConnection) -> pb.ConfirmReply:
            mine = [envelope for envelope in envelopes if envelope.receiver == party.name]
            request = pb.ConfirmRequest(session=self.reference, confirmations=mine)
            reply: pb.ConfirmReply = party.call_once(party.stub.Confirm, request)
            return reply

        confirmed = self.at_all(confirm)[self.run.label_party]
        self.exchanges, self.steps, self.pending = confirmed.exchanges, confirmed.steps, list(confirmed.datasets)
        self.decisions, self.position = frozenset(confirmed.decisions), confirmed.position
        self._passes = [(one.position, one.position + one.batches) for one in confirmed.passes]

    def _open(self, party: PartyConnection) -> pb.OpenReply:
        proposal = self._proposal
        request = pb.OpenRequest(
            session=self.reference,
            purpose=proposal.purpose,
            configuration=proposal.configuration,
            dataset=proposal.dataset,
            realign=proposal.realign,
            start_step=proposal.start.step,
            lineage=proposal.start.lineage,
            resume=proposal.resume,
        )
        reply: pb.OpenReply = party.call_once(party.stub.Open, request)
        hello = Hello.FromString(reply.hello)
        self._check_identity(party, hello)
        self.datasets[party.name] = list(hello.datasets)
        return reply

    def _check_identity(self, party: PartyConnection, hello: Hello) -> None:
        """TLS checked the authority and the name; the chain in Hello shows the rest: usage, path and pin."""
        if party.trusted is None:
            return
        try:
            chain = [x509.load_der_x509_certificate(data) for data in hello.certificate_chain]
        except PARSE_ERRORS:
            chain = []
        if not chain:
            raise IdentityError("sent no certificate that can be read", where=f"party {party.name}")
        try:
            party.trusted.verify(chain[0], chain[1:], Usage.PARTY, utc_now())
        except SplitError as error:
            raise IdentityError(str(error), where=f"party {party.name} at {party.address}") from error


def new_run_id() -> bytes:
    """A fresh run_id."""
    return secrets.token_bytes(RUN_ID_BYTES)
