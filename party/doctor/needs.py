"""Estimates what a run needs of this machine, and compares it with what is there."""

from __future__ import annotations

from collections.abc import Iterator

from party.diagnosis.finding import Finding, fine, warning
from party.diagnosis.limits import examine_disk, examine_memory, examine_open_files
from party.doctor.subject import PartySubject
from party.engine.cores import usable_cores

BYTES_OF_A_NUMBER = 4
BYTES_OF_A_ROW = 8
SLOTS = 2  # of Adam, for every weight
COPIES_IN_MEMORY = 3  # of a checkpoint, while it is written
BASE_MEMORY_BYTES = 500_000_000  # of Python and TensorFlow; `make lean` measures it
BASE_DISK_BYTES = 100_000_000  # of dense layers, journal, ledger and predictions
OPEN_FILES = 256  # connections and files of a party, under the load that it accepts
DEFAULT_DIMENSION = 16  # of an own model, which states none


def examine_party_memory(subject: PartySubject) -> Iterator[Finding]:
    """Compares the memory that is left with an estimate for the rows, the model and its checkpoints.

    Args:
        subject: the party.

    Yields:
        One finding.
    """
    rows = {name: subject.tables.table(name).rows for name in subject.usable}
    columns = sum(count * len(subject.configuration.columns(name)) for name, count in rows.items())
    held = BYTES_OF_A_NUMBER * columns + BYTES_OF_A_ROW * sum(rows.values())
    checkpoints = COPIES_IN_MEMORY * _checkpoint_bytes(subject)
    yield from examine_memory(subject.machine, BASE_MEMORY_BYTES + held + checkpoints)


def examine_party_disk(subject: PartySubject) -> Iterator[Finding]:
    """Compares the space that is left with an estimate for the checkpoints and the weights of one run.

    Args:
        subject: the party.

    Yields:
        One finding.
    """
    copies = subject.configuration.checkpoints.keep + 1  # one more while it is written
    needed = BASE_DISK_BYTES + copies * _checkpoint_bytes(subject)
    yield from examine_disk(subject.machine, subject.state, needed)


def examine_party_files(subject: PartySubject) -> Iterator[Finding]:
    """Looks whether the party may have enough files and connections open.

    Args:
        subject: the party.

    Yields:
        One finding.
    """
    yield from examine_open_files(subject.machine, OPEN_FILES)


def examine_threads(subject: PartySubject) -> Iterator[Finding]:
    """Looks whether there are cores for the threads of the configuration.

    Args:
        subject: the party.

    Yields:
        One finding.
    """
    threads, cores = subject.configuration.threads, usable_cores()
    asked = threads.intra_operation
    if asked != "auto" and asked > cores:
        yield warning(
            f"{asked} threads share {cores} cores, and wait for one another",
            "threads.intra_operation",
            fix="set auto, or a number that is not above that of the cores",
        )
    else:
        yield fine(f"{cores} cores for this process; threads.intra_operation is {asked}")


def _checkpoint_bytes(subject: PartySubject) -> int:
    """The embedding tables with the slots of their optimizer; dense layers are small beside them."""
    dimension = getattr(subject.configuration.base_model, "embedding_dimension", DEFAULT_DIMENSION)
    return subject.embedding_rows * (dimension + 1) * BYTES_OF_A_NUMBER * (1 + SLOTS)
