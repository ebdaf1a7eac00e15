"""The gRPC health service of a party, for probes of the machine that it runs on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from party.configuration.monitoring import MonitoringPort
from party.errors import ConfigurationError

LIVE = "live"
READY = "ready"
SERVICE = "split.v1.Party"
READINESS = ("", READY, SERVICE)  # the empty name stands for the server as a whole
NAMES = frozenset({LIVE, *READINESS})
UNKNOWN = "unknown"  # stands for all other names
THREADS = 2
MAXIMUM_CALLS = 16  # checks and watches at a time
MAXIMUM_REQUEST_BYTES = 1024
OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAXIMUM_REQUEST_BYTES),
    ("grpc.max_concurrent_streams", MAXIMUM_CALLS),
    ("grpc.max_allowed_incoming_connections", MAXIMUM_CALLS),
)


class _Servicer(HealthServicer):  # type: ignore[misc]  # the library has no types
    """Answers for NAMES; the library's own servicer would keep every other name that anybody ever watched."""

    def Watch(  # noqa: N802  # name of the method in the service
        self,
        request: HealthCheckRequest,
        context: grpc.ServicerContext,
        send_response_callback: Callable[[HealthCheckResponse | None], None] | None = None,
    ) -> object:
        """Sends the status, and again whenever it changes."""
        known = request if request.service in NAMES else HealthCheckRequest(service=UNKNOWN)
        return super().Watch(known, context, send_response_callback)


class HealthService:
    """Answers `grpc.health.v1.Health` on a port of its own, from before a party reads its data until it has stopped.

    `live` is served all the time; `ready`, the name of the service and the empty name only while the party answers
    coordinators.

    Args:
        section: address and port.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """

    def __init__(self, section: MonitoringPort) -> None:
        self._servicer = _Servicer()
        self._servicer.set(LIVE, HealthCheckResponse.SERVING)
        self._state(HealthCheckResponse.NOT_SERVING)
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="health")
        self._server = grpc.server(self._threads, maximum_concurrent_rpcs=MAXIMUM_CALLS, options=OPTIONS)
        add_HealthServicer_to_server(self._servicer, self._server)
        try:
            self.port = self._server.add_insecure_port(section.listen)
        except RuntimeError:
            raise ConfigurationError(
                f"cannot listen on {section.listen}",
                where="health.listen",
                fix="another process may hold the port; choose another one",
            ) from None
        self._server.start()

    def ready(self) -> None:
        """States that the party answers coordinators."""
        self._state(HealthCheckResponse.SERVING)

    def stopping(self) -> None:
        """States that the party answers no new coordinators."""
        self._state(HealthCheckResponse.NOT_SERVING)

    def close(self) -> None:
        """Ends the service."""
        self._server.stop(None).wait()
        self._threads.shutdown(wait=False)

    def _state(self, status: HealthCheckResponse.ServingStatus) -> None:
        for name in READINESS:
            self._servicer.set(name, status)
