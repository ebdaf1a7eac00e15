"""The HTTP port that Prometheus reads metrics from."""

from __future__ import annotations

import io
import socket
import socketserver
import threading
import time
from collections.abc import Iterable
from socket import AddressFamily
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from party.configuration.monitoring import MonitoringPort
from party.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

NAMESPACE = "splitrain"
READ_SECONDS = 2.0  # longest time of a whole request, as one is answered at a time


def phase_metric(name: str, text: str, phases: Iterable[str], current: str) -> Metric:
    """Makes a gauge that is 1 for the present phase, and 0 for all others.

    Args:
        name: of the metric, without the namespace.
        text: what the phases are of.
        phases: every phase.
        current: the present one.
    """
    metric = GaugeMetricFamily(f"{NAMESPACE}_{name}", text, labels=["phase"])
    for phase in phases:
        metric.add_metric([phase], float(phase == current))
    return metric


class _HurriedReader(io.RawIOBase):
    """Reads from a connection until a point in time: a caller that sends a byte now and then would never end.

    Args:
        connection: to read from; its own timeout is for what is sent.
        end_seconds: the point, of the monotonic clock.
    """

    def __init__(self, connection: socket.socket, end_seconds: float) -> None:
        self._connection = connection
        self._end_seconds = end_seconds

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Waits for what comes next.

        Raises:
            TimeoutError: the point has passed.
        """
        left_seconds = self._end_seconds - time.monotonic()
        if left_seconds <= 0:
            raise TimeoutError
        self._connection.settimeout(left_seconds)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(READ_SECONDS)


class _Handler(WSGIRequestHandler):
    """Answers one request; a caller that sends nothing, or slowly, is left, and no request is logged."""

    timeout = READ_SECONDS

    def setup(self) -> None:
        """Hurries what reads the request."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_HurriedReader(self.connection, time.monotonic() + READ_SECONDS))

    def log_message(self, format: str, *args: object) -> None:
        """Writes nothing: a scrape is no event."""


class _Server(WSGIServer):
    """Answers one request at a time: nobody can make it hold more than one thread and one connection."""

    def server_bind(self) -> None:
        """Binds without looking the host's name up, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of a caller that went away."""


class _ServerV6(_Server):
    address_family = AddressFamily.AF_INET6


class MetricsPort:
    """Serves metrics until it is closed; they are computed when they are asked for.

    Args:
        section: address and port.
        collectors: what is served, besides memory, processor time and open files of this process.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """

    def __init__(self, section: MonitoringPort, collectors: Iterable[Collector]) -> None:
        registry = CollectorRegistry(auto_describe=False)
        for collector in collectors:
            registry.register(collector)
        ProcessCollector(namespace=NAMESPACE, registry=registry)
        server = _ServerV6 if ":" in section.host else _Server
        try:
            self._server = server((section.host, section.port), _Handler)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {section.listen} ({type(error).__name__})",
                where="prometheus.listen",
                fix="another process may hold the port; choose another one",
            ) from None
        self._server.set_app(make_wsgi_app(registry, disable_compression=True))
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answers the request under way, for which no caller can take longer than it has, and closes the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
