"""`party ledger`: prints what was granted and released, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table
from rich.text import Text

from party.configuration.party import load_party_configuration
from party.errors import StorageError
from party.ledger.charge import Charge
from party.ledger.entry import LedgerEntry
from party.ledger.file import read_ledger
from party.policy.limit_uses import limit_uses
from party.security.clock import utc_now
from party.security.printable import printable

SHOWN_RUN_CHARACTERS = 8
SHOWN_CELL_CHARACTERS = 5000  # more than all names of a session


def ledger_entries(path: Path) -> list[LedgerEntry]:
    """Reads and verifies a party's ledger.

    Args:
        path: the party's YAML file.

    Returns:
        All lines, in order.

    Raises:
        StorageError: the ledger was altered.
    """
    configuration = load_party_configuration(path)
    return read_ledger(configuration.path(configuration.state))


def json_lines(path: Path) -> Iterator[str]:
    """Reads the lines of the file.

    Args:
        path: the party's YAML file.

    Yields:
        A JSON object for each line.
    """
    for entry in ledger_entries(path):
        yield entry.to_line().decode().rstrip("\n")


def ledger_table(path: Path) -> Table:
    """Makes a table of the lines.

    Args:
        path: the party's YAML file.

    Returns:
        The table.
    """
    table = Table()
    for column in ("line", "time (UTC)", "event", "coordinator", "peers", "purpose", "run", "datasets"):
        table.add_column(column)
    for column in ("rows", "epochs"):
        table.add_column(column, justify="right")
    for column in ("codecs", "released", "spent", "result"):
        table.add_column(column)
    for entry in ledger_entries(path):
        cells = (
            str(entry.sequence),
            entry.time[:19].replace("T", " "),
            entry.event + (" (resumed)" if entry.resume and entry.event != "started" else ""),
            entry.coordinator,
            ", ".join(entry.peers) + (f" (without {', '.join(entry.without)})" if entry.without else ""),
            entry.purpose,
            entry.run_id[:SHOWN_RUN_CHARACTERS],
            ", ".join(entry.datasets),
            f"{entry.rows:,}" if entry.rows else "",
            f"{entry.epochs:,}" if entry.epochs else "",
            ", ".join(f"{direction} {kind}" for direction, kind in entry.codecs.items()),
            ", ".join(f"{count:,} {kind}" for kind, count in entry.releases.items()),
            ", ".join(_spent(charge) for charge in entry.charges or ()),
            entry.result,
        )
        # As it is, for a terminal: a line holds names that a coordinator chose.
        table.add_row(*(Text(printable(cell, SHOWN_CELL_CHARACTERS)) for cell in cells))
    return table


def _spent(charge: Charge) -> str:
    if charge.epsilon is None:
        return f"{charge.secret} exactly"
    return f"{charge.secret} epsilon {charge.epsilon}, generation {charge.generation}"


def verification(path: Path, known_digest: str | None) -> str:
    """Verifies the chain, and that a line noted earlier is still in it.

    Args:
        path: the party's YAML file.
        known_digest: digest of a line, as noted earlier outside of the state folder; None skips this check.

    Returns:
        A line for a person.

    Raises:
        StorageError: a line was altered, moved, added or removed.
    """
    entries = ledger_entries(path)
    if known_digest is not None and known_digest not in {entry.digest for entry in entries}:
        raise StorageError(
            "the line with this digest is not in it",
            where="ledger",
            fix="the ledger was replaced as a whole after you noted the digest: find out who did it",
        )
    last = f", the last one {entries[-1].digest}" if entries else ""
    return f"{len(entries)} lines, each follows the one before{last}"


def used_limits(path: Path) -> Iterator[str]:
    """Reads how much of each limit of the policy is used.

    Args:
        path: the party's YAML file.

    Yields:
        A line for each limit.
    """
    configuration = load_party_configuration(path)
    for use in limit_uses(configuration, ledger_entries(path), utc_now()):
        used = f"{use.used:,.1f}" if isinstance(use.used, float) else f"{use.used:,}"
        yield f"{use.what}: {used} of {use.allowed:,}"
