"""Examines what a coordinator is watched with: the port for metrics, the server of MLflow."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from coordinator.doctor.subject import CoordinatorSubject
from coordinator.proxies import named_proxies
from party.diagnosis.finding import Finding, fine, problem
from party.diagnosis.listening import examine_monitoring

PORTS = {"http": 80, "https": 443}
ANSWER = "start the server, correct mlflow.tracking_uri, or leave out mlflow: no run begins without it"


def examine_metrics_port(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks whether the port for metrics can be taken.

    Args:
        subject: the coordinator.

    Yields:
        One finding; none without such a port.
    """
    port = subject.configuration.prometheus
    if port is not None:
        yield examine_monitoring("prometheus.listen", port.listen, serves=False)


def examine_mlflow(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks whether the server of MLflow takes connections; its address is shown without a login.

    Args:
        subject: the coordinator.

    Yields:
        One finding; none without MLflow.
    """
    section = subject.configuration.mlflow
    if section is None:
        return
    address = urlsplit(section.tracking_uri)
    port = PORTS.get(address.scheme)
    if port is None or address.hostname is None:
        yield fine("is no server, but files or a database")
    elif named_proxies(subject.machine.environment):
        yield fine("is left to the proxy", address.hostname)
    else:
        yield _reached(address.hostname, address.port or port, subject.machine.wait_seconds)


def _reached(host: str, port: int, wait_seconds: float) -> Finding:
    where = f"mlflow at {host}:{port}"
    try:
        socket.create_connection((host, port), wait_seconds).close()
    except socket.gaierror:
        return problem(f"the name {host} does not resolve", where, fix=ANSWER)
    except OSError:
        return problem("the server does not answer", where, fix=ANSWER)
    return fine("takes connections", where)
