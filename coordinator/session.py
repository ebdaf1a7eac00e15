"""A session with all parties: opens it, performs the handshake, and closes it."""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from coordinator.party_client import PartyClient
from party.configuration.run import RunConfiguration
from party.errors import HandshakeError, IdentityError, SplitError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import DatasetRows, Hello, JoinStatement, Purpose, TableStatement
from party.protocol.checkpoints import ORIGIN, Mark
from party.protocol.shuffled_column import ShuffledColumn
from party.security.certificates import Usage, certificates_from_der
from party.security.clock import utc_now
from party.security.printable import printable

RUN_ID_BYTES = 16
INCARNATION_BYTES = 16

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class ProposedSession:
    """A session to be opened.

    Attributes:
        purpose: of the session.
        run_id: 16 bytes.
        lease: 32 bytes that prove to the parties that this is the coordinator of an earlier session.
        configuration: run configuration that the parties agree on, serialized.
        dataset: to evaluate or predict; empty for other purposes.
        realign: whether to align datasets again that are aligned already.
        start: checkpoint to start from.
        resume: whether the run was started in an earlier session.
        without: feature parties of the run that an evaluation or a prediction leaves out; nothing calls them.
        continues: run_id of the finished run whose weights the run begins with; empty without one.
        shuffled: the column that an evaluation shuffles among the rows; None without one.
    """

    purpose: Purpose
    run_id: bytes
    lease: bytes
    configuration: bytes
    dataset: str = ""
    realign: bool = False
    start: Mark = ORIGIN
    resume: bool = False
    without: tuple[str, ...] = ()
    continues: bytes = b""
    shuffled: ShuffledColumn | None = None


class CoordinatedSession:
    """A session with every party that takes part, as a context manager that opens and closes it.

    Args:
        clients: by party name; those of parties that the session leaves out are not used.
        run: the run configuration.
        proposal: the session to open.
    """

    def __init__(self, clients: Mapping[str, PartyClient], run: RunConfiguration, proposal: ProposedSession) -> None:
        self.clients = {name: client for name, client in clients.items() if name not in proposal.without}
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
        self.joins: Sequence[JoinStatement] = ()
        self.hellos: dict[str, Hello] = {}
        self.tables: dict[str, Sequence[TableStatement]] = {}
        self._proposal = proposal
        self._threads = ThreadPoolExecutor(max_workers=len(self.clients), thread_name_prefix="party")

    @property
    def label(self) -> PartyClient:
        """The label party."""
        return self.clients[self.run.label_party]

    @property
    def features(self) -> list[PartyClient]:
        """The feature parties that take part, ascending by name."""
        return [client for name, client in sorted(self.clients.items()) if name != self.run.label_party]

    def __enter__(self) -> Self:
        """Opens the session at every party and performs the handshake."""
        try:
            self._agree()
        except BaseException as error:
            self._end(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the session; notes at an interrupt whether every party knows."""
        self._end(error)

    def at_all(self, call: Callable[[PartyClient], Result]) -> dict[str, Result]:
        """Calls all parties concurrently.

        Args:
            call: function to call with each client.

        Returns:
            Results by party name.

        Raises:
            SplitError: the error of the first party, by name, that failed.
        """
        futures = {name: self._threads.submit(call, client) for name, client in self.clients.items()}
        # Waits for all even if one fails: the session is closed next, and no call may still be running then.
        wait(futures.values())
        return {name: future.result() for name, future in futures.items()}

    def pass_end(self, position: int) -> int | None:
        """Returns the position after the last batch of the training pass around a batch; None for other batches."""
        place = bisect_right(self._passes, (position, self.exchanges)) - 1
        if place < 0 or position >= self._passes[place][1]:
            return None
        return self._passes[place][1]

    def inference_end(self, position: int) -> int:
        """Returns the position after the last batch of the run of consecutive inference batches from a position."""
        others = [*self.decisions, *(start for start, _ in self._passes), self.exchanges]
        return min(other for other in others if other > position)

    @property
    def epochs_before(self) -> int:
        """Number of epochs that earlier sessions completed."""
        return sum(end <= self.position for _, end in self._passes)

    def finish(self) -> dict[str, pb.FinishReply]:
        """Makes every party write the results of the session; returns the replies by party name."""
        return self.at_all(lambda party: party.finish(self.reference))

    def close(self) -> list[str]:
        """Closes the session at every party that is still reachable; returns the names of the others."""
        unreached = []
        for client in self.clients.values():
            client.close_stream()
            try:
                client.close_session(self.reference)
            except Exception:
                unreached.append(client.name)
        self._threads.shutdown(wait=False, cancel_futures=True)
        return unreached

    def _end(self, error: BaseException | None) -> None:
        unreached = self.close()
        if isinstance(error, KeyboardInterrupt):
            if unreached:
                error.add_note(f"{', '.join(unreached)} could not be notified")
            else:
                error.add_note("the parties were notified and are free for the next run")

    def _agree(self) -> None:
        opened = self.at_all(self._open)
        hellos = [reply.hello for reply in opened.values()]
        agreed = self.at_all(lambda party: party.agree(self.reference, hellos))
        signatures = [reply.signature for reply in agreed.values()]
        authenticated = self.at_all(lambda party: party.authenticate(self.reference, signatures))
        envelopes = [envelope for reply in authenticated.values() for envelope in reply.confirmations]

        def confirm(party: PartyClient) -> pb.ConfirmReply:
            return party.confirm(self.reference, [one for one in envelopes if one.receiver == party.name])

        confirmed = self.at_all(confirm)[self.run.label_party]
        self.exchanges, self.steps, self.pending = confirmed.exchanges, confirmed.steps, list(confirmed.datasets)
        self.decisions, self.position = frozenset(confirmed.decisions), confirmed.position
        self._passes = [(one.position, one.position + one.batches) for one in confirmed.passes]

    def _open(self, party: PartyClient) -> pb.OpenReply:
        proposal = self._proposal
        reply = party.open(
            self.reference,
            proposal.purpose,
            configuration=proposal.configuration,
            dataset=proposal.dataset,
            realign=proposal.realign,
            start=proposal.start,
            resume=proposal.resume,
            without=proposal.without,
            continues=proposal.continues,
            shuffled=proposal.shuffled,
        )
        hello = Hello.FromString(reply.hello)
        self._check_identity(party, hello)
        self.hellos[party.name] = hello
        self.datasets[party.name] = list(hello.datasets)
        self.tables[party.name] = list(hello.tables)
        if party.name == self.run.label_party:
            self.joins = self._known_joins(hello.joins)
        return reply

    def _known_joins(self, joins: Iterable[JoinStatement]) -> list[JoinStatement]:
        """The joins of the label party; refuses any with somebody who is no feature party of the run."""
        unknown = sorted({printable(join.peer) for join in joins if join.peer not in self.run.feature_parties})
        if unknown:
            raise HandshakeError(
                "the label party joins a table of a party that the run does not name",
                where=self.run.label_party,
                expected=", ".join(self.run.feature_parties),
                received=", ".join(unknown),
            )
        return list(joins)

    def _check_identity(self, party: PartyClient, hello: Hello) -> None:
        """Checks usage, path and pin of the certificate chain in the hello; TLS checked authority and name."""
        if party.trusted is None:
            return
        where = f"party {party.name} at {party.address}"
        chain = certificates_from_der(hello.certificate_chain, where)
        if not chain:
            raise IdentityError("sent no certificate", where=where)
        try:
            party.trusted.verify(chain[0], chain[1:], Usage.PARTY, utc_now())
        except SplitError as error:
            place = f"{where}: {error.where}" if error.where else where
            raise IdentityError(
                error.what, where=place, expected=error.expected, received=error.received, fix=error.fix
            ) from error


def new_run_id() -> bytes:
    """Returns a random run_id."""
    return secrets.token_bytes(RUN_ID_BYTES)
