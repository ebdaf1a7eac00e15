"""All examinations of a party, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from party.diagnosis.diagnosis import CONFIGURATION, Diagnosis, Examination, diagnosed
from party.diagnosis.finding import Finding, fine, warning
from party.diagnosis.locale_settings import examine_locale
from party.diagnosis.machine import Machine
from party.diagnosis.permissions import examine_folder
from party.doctor.alignments import examine_alignments
from party.doctor.clock import examine_clock
from party.doctor.datasets import examine_data
from party.doctor.identity import examine_certificate, examine_trust
from party.doctor.ledger import examine_ledger
from party.doctor.needs import (
    examine_party_disk,
    examine_party_files,
    examine_party_memory,
    examine_threads,
)
from party.doctor.port import examine_ports
from party.doctor.software import examine_party_libraries, examine_tensorflow
from party.doctor.subject import PartySubject
from party.runtime.column_ranges import load_with_columns

PROGRAM = "party"
LEAVE_OUT = "leave the key out, unless its owner means it so"


def examine_configuration(subject: PartySubject) -> Iterator[Finding]:
    """States the protections that the owner has switched off.

    Args:
        subject: the party.

    Yields:
        A warning for each; or one finding that there is none.
    """
    warnings = subject.configuration.warnings
    yield from (warning(one, subject.path.name, fix=LEAVE_OUT) for one in warnings)
    if not warnings:
        yield fine("is valid", subject.path)


EXAMINATIONS: Mapping[str, Examination[PartySubject]] = {
    CONFIGURATION: examine_configuration,
    "clock": examine_clock,
    "certificate": examine_certificate,
    "trust": examine_trust,
    "ports": examine_ports,
    "permissions": lambda subject: examine_folder(subject.state),
    "ledger": examine_ledger,
    "libraries": examine_party_libraries,
    "data": examine_data,
    "alignments": examine_alignments,
    "disk": examine_party_disk,
    "memory": examine_party_memory,
    "threads": examine_threads,
    "open files": examine_party_files,
    "locale": lambda subject: examine_locale(subject.machine),
    "models": examine_tensorflow,
}


def examine_party(path: Path, machine: Machine) -> Diagnosis:
    """Examines a party; changes nothing and connects to nobody but its own port.

    Args:
        path: the party's YAML file.
        machine: readings of the machine.

    Returns:
        All findings.
    """

    def read() -> tuple[str, PartySubject]:
        configuration = load_with_columns(path)
        return configuration.party, PartySubject(path, configuration, machine)

    return diagnosed(PROGRAM, read, EXAMINATIONS)
