"""All examinations of a coordinator, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.doctor.parties import (
    examine_clocks,
    examine_datasets,
    examine_roles,
    examine_versions,
)
from coordinator.doctor.subject import CoordinatorSubject
from coordinator.doctor.way import (
    examine_names,
    examine_ports,
    examine_proxies,
    examine_tls,
)
from party.diagnosis.certificates import authorities, own_certificate
from party.diagnosis.diagnosis import Diagnosis, Examination, examined
from party.diagnosis.finding import Finding, fine, of_error, warning
from party.diagnosis.libraries import examine_libraries
from party.diagnosis.limits import examine_disk, examine_memory, examine_open_files
from party.diagnosis.listening import examine_monitoring
from party.diagnosis.locale_settings import examine_locale
from party.diagnosis.machine import Machine
from party.diagnosis.permissions import examine_folder
from party.errors import SplitError
from party.monitoring.libraries import require_libraries
from party.security.certificates import Usage

CONFIGURATION = "configuration"
PROGRAM = "coordinator"
CORRECT = "correct the key; docs/configuration.md has all of them"
LIBRARIES = ("grpcio", "protobuf", "cryptography", "pydantic", "PyYAML", "click")
INSTALLATION = "install splitrain again, in an environment of its own"
NEEDED_DISK_BYTES = 50_000_000  # of journals and histories
NEEDED_MEMORY_BYTES = 200_000_000  # of Python, gRPC and messages on their way
NEEDED_FILES = 128


def examine_configuration(subject: CoordinatorSubject) -> Iterator[Finding]:
    """States whether connections are without TLS.

    Args:
        subject: the coordinator.

    Yields:
        One finding.
    """
    if subject.configuration.insecure:
        fix = "leave the key out, but for a trial on one machine"
        yield warning("insecure: calls go without TLS to any process of this machine", subject.path.name, fix=fix)
    else:
        yield fine("is valid", subject.path)


def examine_certificate(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks at the coordinator's own certificate and key.

    Args:
        subject: the coordinator.

    Yields:
        One finding.
    """
    configuration, tls = subject.configuration, subject.configuration.tls
    if tls is None:
        yield fine("is not used: insecure: true")
        return
    files = configuration.path(tls.certificate), configuration.path(tls.key)
    yield from own_certificate(configuration.coordinator, *files, usage=Usage.COORDINATOR, now=subject.machine.now)


def examine_trust(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks at the authorities of all parties.

    Args:
        subject: the coordinator.

    Yields:
        One finding for each party.
    """
    configuration = subject.configuration
    yield from authorities(configuration.parties, configuration.folder, usage=Usage.PARTY, now=subject.machine.now)


def examine_installed(subject: CoordinatorSubject) -> Iterator[Finding]:
    """Looks whether the libraries of a coordinator are installed, with those of its options.

    Args:
        subject: the coordinator.

    Yields:
        Problems, and the versions.

    Raises:
        InstallationError: an option needs a library that is not installed.
    """
    configuration = subject.configuration
    yield from examine_libraries(LIBRARIES, INSTALLATION)
    require_libraries(
        {
            "prometheus": configuration.prometheus,
            "tensorboard": configuration.tensorboard,
            "mlflow": configuration.mlflow,
        }
    )


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


EXAMINATIONS: Mapping[str, Examination[CoordinatorSubject]] = {
    CONFIGURATION: examine_configuration,
    "certificate": examine_certificate,
    "trust": examine_trust,
    "proxies": examine_proxies,
    "names": examine_names,
    "ports": examine_ports,
    "TLS": examine_tls,
    "metrics port": examine_metrics_port,
    "versions": examine_versions,
    "roles": examine_roles,
    "clocks": examine_clocks,
    "datasets": examine_datasets,
    "permissions": lambda subject: examine_folder(_output(subject)),
    "disk": lambda subject: examine_disk(subject.machine, _output(subject), NEEDED_DISK_BYTES),
    "memory": lambda subject: examine_memory(subject.machine, NEEDED_MEMORY_BYTES),
    "open files": lambda subject: examine_open_files(subject.machine, NEEDED_FILES),
    "libraries": examine_installed,
    "locale": lambda subject: examine_locale(subject.machine),
}


def examine_coordinator(path: Path, machine: Machine) -> Diagnosis:
    """Examines a coordinator and its way to all parties; opens no session and changes nothing.

    Args:
        path: the run's YAML file.
        machine: readings of the machine.

    Returns:
        All findings.
    """
    try:
        configuration = load_coordinator_configuration(path)
    except SplitError as error:
        return Diagnosis(PROGRAM, "", {CONFIGURATION: (of_error(error, CORRECT),)})
    subject = CoordinatorSubject(path, configuration, machine)
    return Diagnosis(PROGRAM, configuration.coordinator, examined(subject, EXAMINATIONS))


def _output(subject: CoordinatorSubject) -> Path:
    return subject.configuration.path(subject.configuration.output)
