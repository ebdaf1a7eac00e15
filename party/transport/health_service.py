"""The gRPC health service of a party, for probes of the machine that it runs on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer, add_HealthServicer_to_server

from party.configuration.monitoring import MonitoringPort
from party.errors import ConfigurationError

LIVE = "live"
READY = "ready"
SERVICE = "split.v1.Party"
READINESS = ("", READY, SERVICE)  # the empty name stands for the server as a whole
MAXIMUM_CALLS = 16  # checks and watches at a time, each in a thread
MAXIMUM_REQUEST_BYTES = 1024
OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAXIMUM_REQUEST_BYTES),
    ("grpc.max_concurrent_streams", MAXIMUM_CALLS),
    ("grpc.max_allowed_incoming_connections", MAXIMUM_CALLS),
)


class _Servicer(HealthServicer):  # type: ignore[misc]  # the library has no types
    """Answers for LIVE and READINESS.

    The library's own servicer keeps every name that anybody ever watched, and sends while it holds the lock that the
    end of another call waits for: callers who come and go could stop it, and with it the end of the party.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._status = {LIVE: HealthCheckResponse.SERVING, **dict.fromkeys(READINESS, HealthCheckResponse.NOT_SERVING)}

    def state(self, status: HealthCheckResponse.ServingStatus) -> None:
        """Sets the status of all names but LIVE."""
        with self._changed:
            self._status.update(dict.fromkeys(READINESS, status))
            self._changed.notify_all()

    def Check(  # noqa: N802  # name of the method in the service
        self, request: HealthCheckRequest, context: grpc.ServicerContext
    ) -> HealthCheckResponse:
        """Returns the status of a name."""
        if request.service not in self._status:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            return HealthCheckResponse()
        return HealthCheckResponse(status=self._status[request.service])

    def Watch(  # noqa: N802
        self, request: HealthCheckRequest, context: grpc.ServicerContext
    ) -> Iterator[HealthCheckResponse]:
        """Sends the status of a name, and again whenever it changes, until the call ends."""
        if not context.add_callback(self._wake):
            return
        sent = None
        while (status := self._other(request.service, sent, context)) is not None:
            yield HealthCheckResponse(status=status)  # sends without the lock
            sent = status

    def _other(
        self, name: str, sent: HealthCheckResponse.ServingStatus | None, context: grpc.ServicerContext
    ) -> HealthCheckResponse.ServingStatus | None:
        """Waits for a status other than the one that was sent; None once the call has ended."""
        unknown = HealthCheckResponse.SERVICE_UNKNOWN
        with self._changed:
            self._changed.wait_for(lambda: not context.is_active() or self._status.get(name, unknown) != sent)
            return self._status.get(name, unknown) if context.is_active() else None

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


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
        self._threads = ThreadPoolExecutor(max_workers=MAXIMUM_CALLS, thread_name_prefix="health")
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
        self._servicer.state(HealthCheckResponse.SERVING)

    def stopping(self) -> None:
        """States that the party answers no new coordinators."""
        self._servicer.state(HealthCheckResponse.NOT_SERVING)

    def close(self) -> None:
        """Ends the service."""
        self._server.stop(None).wait()
        self._threads.shutdown(wait=False)
