"""A party's server process."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from typing import cast

import grpc

from party import __version__
from party.alignment.store import AlignmentStore
from party.configuration.addresses import is_loopback
from party.configuration.party import PartyConfiguration
from party.data.store.column_stores import COLUMNS_FOLDER, ColumnStores
from party.errors import ConfigurationError, IdentityError
from party.ledger.entry import Content, LedgerEntry
from party.ledger.file import RUNS_FOLDER, Ledger
from party.monitoring.logs import RunPlace
from party.policy.admission import make_admission, record_start
from party.runtime.activity import ActivityView
from party.runtime.column_keys import StoredColumnKeys
from party.runtime.context import PartyContext
from party.runtime.model_objects import check_objects, check_own_model
from party.runtime.negative_secrets import stored_secret
from party.runtime.qualities import Qualities
from party.runtime.records import RunRecords
from party.runtime.serving_file import Serving, ServingFile
from party.runtime.session_manager import SessionManager
from party.runtime.tables import Tables
from party.security.certificates import Identity, Usage, own_identity
from party.security.clock import utc_now
from party.security.files import private_folder
from party.security.tls import CallerNames, server_credentials, server_options
from party.security.trust import load_trusted
from party.transport.answering import CallerName
from party.transport.call_places import MAXIMUM_CALLS_IN_ALL
from party.transport.call_streams import MAXIMUM_STREAM_THREADS
from party.transport.guard import ConnectionGuard
from party.transport.revision import Revision, revision
from party.transport.service import PartyService
from party.transport.sockets import AcceptedSockets

RESERVED_THREADS = 8  # to authorise callers and to refuse calls, whatever all callers hold
HANDLER_THREADS = MAXIMUM_CALLS_IN_ALL + MAXIMUM_STREAM_THREADS + RESERVED_THREADS
HANDLER_NAME = "call"
BACKGROUND_NAME = "update"
MAXIMUM_CONCURRENT_CALLS = HANDLER_THREADS + 16  # the others wait for a thread
SHUTDOWN_GRACE_SECONDS = 5.0
INSECURE_CALLER = "insecure"

logger = logging.getLogger(__name__)


class PartyServer:
    """The gRPC server of one party.

    Args:
        configuration: the party's configuration.

    Raises:
        SplitError: certificate, state folder, data or address cannot be used.
    """

    def __init__(self, configuration: PartyConfiguration) -> None:
        self._background = ThreadPoolExecutor(max_workers=1, thread_name_prefix=BACKGROUND_NAME)
        state = configuration.path(configuration.state)
        with ExitStack() as held:
            self._serving = ServingFile(state)
            held.callback(self._serving.close)
            self._ledger = Ledger(state, utc_now)
            held.callback(self._ledger.close)
            self._coordinators = load_trusted(configuration.coordinators, configuration.folder)
            self.context = make_context(configuration, self._background, self._ledger)
            self.context.identity()
            self.context.tables.read_all()
            check_objects(configuration)
            check_own_model(configuration, self.context.tables)
            self._sessions = SessionManager(configuration.party, self.context.monotonic)
            self._handlers = ThreadPoolExecutor(max_workers=HANDLER_THREADS, thread_name_prefix=HANDLER_NAME)
            self._server = grpc.server(
                self._handlers,
                maximum_concurrent_rpcs=MAXIMUM_CONCURRENT_CALLS,
                options=server_options(),
            )
            self.port, caller_name = self._bind()
            self._guard = ConnectionGuard(AcceptedSockets(self.port), self.context.monotonic)
            self._service = PartyService(self.context, self._sessions, _vouching(caller_name, self._guard))
            self._server.add_generic_rpc_handlers((self._service.handler(),))
            record_start(self._ledger, __version__)
            self._held = held.pop_all()

    def start(self) -> None:
        """Begins to answer calls."""
        self._server.start()
        self._guard.start()

    def activity(self) -> ActivityView:
        """What this party has done since it started."""
        return self._sessions.activity.view()

    def ledger_entries(self) -> Sequence[LedgerEntry]:
        """All lines of this party's ledger."""
        return self._ledger.entries

    def place(self) -> RunPlace:
        """The run and the step of the open session, for the log."""
        current = self._sessions.current
        return RunPlace() if current is None else RunPlace(current[0].hex(), current[1].step)

    def state(self, serving: Serving) -> None:
        """Writes which configuration is in force, for `party reload`."""
        self._serving.state(serving)

    def revise(self, configuration: PartyConfiguration) -> Revision:
        """Applies a changed list of coordinators or peers, or a changed policy, while it serves.

        A session whose coordinator or peer is no longer trusted in the same way ends at once. A session that continues
        keeps the policy that it began with.

        Args:
            configuration: the new configuration, as read from the file.

        Returns:
            The changes.

        Raises:
            ConfigurationError: a key differs that only a restart can change; nothing has changed.
            IdentityError: an authority's file cannot be used; nothing has changed.
            StorageError: the ledger cannot be written; the change is in force.
        """
        coordinators = load_trusted(configuration.coordinators, configuration.folder)
        context = renewed_context(self.context, configuration, self._ledger)
        present = {**self.context.peers, **self._coordinators}
        changes = revision(self.context.configuration, configuration, present, {**context.peers, **coordinators})
        self._coordinators, self._callers, self.context = coordinators, CallerNames(coordinators), context
        self._service.use(context)
        self._sessions.evict_those_with(changes.removed)
        self._guard.revoke(changes.removed)
        # Last, so that trust ends even if nothing can be written.
        self._ledger.append(Content(event="reloaded", result=str(changes)))
        return changes

    def stop(self) -> None:
        """Answers the calls under way, then ends; does not wait for a computation beyond the grace period."""
        stopped = self._server.stop(SHUTDOWN_GRACE_SECONDS)
        self._service.close_streams()
        stopped.wait()
        self._guard.stop()
        self._sessions.shut_down()
        self._handlers.shutdown(wait=False)
        self._background.shutdown(wait=False, cancel_futures=True)
        self._held.close()

    def _bind(self) -> tuple[int, CallerName]:
        configuration = self.context.configuration
        caller_name: CallerName
        try:
            if configuration.insecure:
                _require_loopback(configuration)
                port = self._server.add_insecure_port(configuration.listen)
                caller_name = _insecure_caller
            else:
                credentials = server_credentials(
                    configuration.party,
                    configuration.path(configuration.tls.certificate),
                    configuration.path(configuration.tls.key),
                    coordinators=lambda: self._coordinators,
                    clock=self.context.now,
                )
                port = self._server.add_secure_port(configuration.listen, credentials)
                self._callers = CallerNames(self._coordinators)
                caller_name = self._verified_caller
        except RuntimeError:
            raise ConfigurationError(
                f"cannot listen on {configuration.listen}",
                where=configuration.party,
                fix="another process may hold the port; choose another one in listen",
            ) from None
        return port, caller_name

    def _verified_caller(self, context: grpc.ServicerContext) -> str:
        return self._callers.caller_name(_auth_context(context), self.context.now())


def make_context(configuration: PartyConfiguration, background: ThreadPoolExecutor, ledger: Ledger) -> PartyContext:
    """Makes the context that the sessions of a party share.

    Args:
        configuration: the party's configuration.
        background: executor that computes steps where several batches are under way.
        ledger: the party's ledger.

    Returns:
        The context, its folders created.
    """
    state = private_folder(configuration.path(configuration.state))
    admission = make_admission(configuration, ledger, now=utc_now, random_bytes=os.urandom)
    return PartyContext(
        configuration=configuration,
        identity=lambda: party_identity(configuration, utc_now()),
        peers=load_trusted(configuration.peers, configuration.folder),
        tables=Tables(
            configuration,
            lambda: StoredColumnKeys(configuration, os.urandom, charged=admission.latest_generation),
            ColumnStores(state / COLUMNS_FOLDER),
            negatives_secret=lambda: stored_secret(configuration, os.urandom),
        ),
        qualities=Qualities(),
        alignments=AlignmentStore(state / "alignments"),
        records=RunRecords(state / RUNS_FOLDER, configuration.party),
        admission=admission,
        background=background,
        random_bytes=os.urandom,
        now=utc_now,
        monotonic=time.monotonic,
    )


def renewed_context(context: PartyContext, configuration: PartyConfiguration, ledger: Ledger) -> PartyContext:
    """Makes the context of further sessions after the configuration was read again.

    Args:
        context: the context in force.
        configuration: the new configuration, as read from the file.
        ledger: the party's ledger.
    """
    return dataclasses.replace(
        context,
        configuration=configuration,
        peers=load_trusted(configuration.peers, configuration.folder),
        admission=make_admission(configuration, ledger, now=utc_now, random_bytes=os.urandom),
    )


def party_identity(configuration: PartyConfiguration, now: datetime) -> Identity:
    """Reads this party's certificate and key from the present files.

    Args:
        configuration: the party's configuration.
        now: the current time, with a time zone.
    """
    tls = configuration.tls
    certificate, key = configuration.path(tls.certificate), configuration.path(tls.key)
    return own_identity(configuration.party, certificate, key, usage=Usage.PARTY, now=now)


def _vouching(caller_name: CallerName, guard: ConnectionGuard) -> CallerName:
    """Reports every connection with an authorised call to the guard."""

    def vouched_name(context: grpc.ServicerContext) -> str:
        revocations = guard.revocations
        name = caller_name(context)
        guard.vouch(context.peer(), name, revocations)
        return name

    return vouched_name


def _auth_context(context: grpc.ServicerContext) -> Mapping[str, Iterable[bytes]]:
    """The properties of the connection in gRPC, whose type stub omits that each has several values."""
    return cast("Mapping[str, Iterable[bytes]]", context.auth_context())


def _insecure_caller(context: grpc.ServicerContext) -> str:
    host = context.peer().split(":", 1)[1].rpartition(":")[0].strip("[]").replace("%5B", "").replace("%5D", "")
    if not ipaddress.ip_address(host).is_loopback:
        raise IdentityError("insecure calls come from this machine only", where="call")
    return INSECURE_CALLER


def _require_loopback(configuration: PartyConfiguration) -> None:
    if not is_loopback(configuration.listen.rpartition(":")[0]):
        raise ConfigurationError(
            "insecure: true is for loopback addresses only",
            where=configuration.party,
            expected="listen: 127.0.0.1:PORT",
        )
