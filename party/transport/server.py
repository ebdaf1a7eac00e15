"""A party's server process."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import FrameType
from typing import cast

import grpc

from party.alignment.store import AlignmentStore
from party.configuration.party import PartyConfiguration
from party.errors import ConfigurationError, IdentityError
from party.policy import Policy
from party.runtime.context import PartyContext
from party.runtime.desk import SessionDesk
from party.runtime.garbage import leave_out_what_stays
from party.runtime.model_objects import check_objects, check_own_model
from party.runtime.records import RunRecords
from party.runtime.tables import Tables
from party.security.certificates import Identity, Usage, own_identity
from party.security.clock import utc_now
from party.security.files import private_folder
from party.security.tls import CallerNames, server_credentials, server_options
from party.security.trust import load_trusted
from party.transport.service import CallerName, PartyService

HANDLER_THREADS = 8
MAXIMUM_CONCURRENT_CALLS = 16
SHUTDOWN_GRACE_SECONDS = 5.0
INSECURE_CALLER = "insecure"

logger = logging.getLogger(__name__)


class PartyServer:
    """One party, listening.

    Args:
        configuration: of the party.

    Raises:
        SplitError: certificate, state folder, data or address cannot be used.
    """

    def __init__(self, configuration: PartyConfiguration) -> None:
        self._background = ThreadPoolExecutor(max_workers=1, thread_name_prefix="update")
        self.context = make_context(configuration, self._background)
        self.context.identity()
        self.context.tables.read_all()
        check_objects(configuration)
        check_own_model(configuration, self.context.tables)
        self._desk = SessionDesk(configuration.party, self.context.monotonic)
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=HANDLER_THREADS, thread_name_prefix="call"),
            maximum_concurrent_rpcs=MAXIMUM_CONCURRENT_CALLS,
            options=server_options(),
        )
        self.port, caller_name = self._bind()
        self._service = PartyService(self.context, self._desk, caller_name)
        self._server.add_generic_rpc_handlers((self._service.handler(),))

    def start(self) -> None:
        """Begins to answer calls."""
        self._server.start()

    def stop(self) -> None:
        """Answers what is under way, then ends."""
        stopped = self._server.stop(SHUTDOWN_GRACE_SECONDS)
        self._service.hang_up()
        stopped.wait()
        self._desk.shut()
        self._background.shutdown()

    def _bind(self) -> tuple[int, CallerName]:
        configuration = self.context.configuration
        caller_name: CallerName
        try:
            if configuration.insecure:
                _require_loopback(configuration)
                logger.warning("insecure: true: calls come without TLS from any process of this machine")
                port = self._server.add_insecure_port(configuration.listen)
                caller_name = _insecure_caller
            else:
                coordinators = load_trusted(configuration.coordinators, configuration.folder)
                credentials = server_credentials(
                    configuration.party,
                    configuration.path(configuration.tls.certificate),
                    configuration.path(configuration.tls.key),
                    coordinators,
                    self.context.now,
                )
                port = self._server.add_secure_port(configuration.listen, credentials)
                caller_name = _verified_caller(CallerNames(coordinators), self.context.now)
        except RuntimeError:
            raise ConfigurationError(
                f"cannot listen on {configuration.listen}",
                where=configuration.party,
                fix="another process may hold the port; choose another one in listen",
            ) from None
        return port, caller_name


def make_context(configuration: PartyConfiguration, background: ThreadPoolExecutor) -> PartyContext:
    """Gathers what the sessions of a party share.

    Args:
        configuration: of the party.
        background: computes steps where several batches are under way.

    Returns:
        The context, its folders created.
    """
    state = private_folder(configuration.path(configuration.state))
    return PartyContext(
        configuration=configuration,
        identity=lambda: party_identity(configuration, utc_now()),
        peers=load_trusted(configuration.peers, configuration.folder),
        tables=Tables(configuration),
        alignments=AlignmentStore(state / "alignments"),
        records=RunRecords(state / "runs", configuration.party),
        policy=Policy(configuration),
        background=background,
        random_bytes=os.urandom,
        now=utc_now,
        monotonic=time.monotonic,
    )


def party_identity(configuration: PartyConfiguration, now: datetime) -> Identity:
    """Own certificate and key, as the files are now."""
    tls = configuration.tls
    certificate, key = configuration.path(tls.certificate), configuration.path(tls.key)
    return own_identity(configuration.party, certificate, key, Usage.PARTY, now)


def serve(configuration: PartyConfiguration, announce: Callable[[str], None]) -> None:
    """Runs a party until it is told to stop by SIGINT or SIGTERM.

    Args:
        configuration: of the party.
        announce: told once when calls are answered.
    """
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    server = PartyServer(configuration)
    leave_out_what_stays()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.start()
    role = "label party" if configuration.holds_labels else "feature party"
    host = configuration.listen.rpartition(":")[0]
    announce(f"party {configuration.party} ({role}) is ready on {host}:{server.port}")
    stopped.wait()
    logger.info("stopping")
    server.stop()


def _verified_caller(callers: CallerNames, now: Callable[[], datetime]) -> CallerName:
    return lambda context: callers.caller_name(_auth_context(context), now())


def _auth_context(context: grpc.ServicerContext) -> Mapping[str, Iterable[bytes]]:
    """What gRPC says of the connection; its type stub leaves out that every property has several values."""
    return cast("Mapping[str, Iterable[bytes]]", context.auth_context())


def _insecure_caller(context: grpc.ServicerContext) -> str:
    host = context.peer().split(":", 1)[1].rpartition(":")[0].strip("[]").replace("%5B", "").replace("%5D", "")
    if not ipaddress.ip_address(host).is_loopback:
        raise IdentityError("insecure calls come from this machine only", where="call")
    return INSECURE_CALLER


def _require_loopback(configuration: PartyConfiguration) -> None:
    host = configuration.listen.rpartition(":")[0].strip("[]")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            "insecure: true is for loopback addresses only",
            where=configuration.party,
            expected="listen: 127.0.0.1:PORT",
        )
