"""`party ledger`: prints what was granted and released, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from party.configuration.party import PartyConfiguration, load_party_configuration
from party.errors import StorageError
from party.ledger.charge import Charge
from party.ledger.entry import LedgerEntry
from party.ledger.file import read_ledger
from party.output.quantities import count_text, counted
from party.output.tables import PrintedTable, numbered, worded
from party.policy.limit_uses import LimitUse, limit_uses
from party.security.clock import utc_now
from party.security.printable import printable

SHOWN_RUN_CHARACTERS = 8
SHOWN_CELL_CHARACTERS = 5000  # more than all names of a session


@dataclass(frozen=True)
class ListedLedger:
    """All lines of a ledger.

    Attributes:
        party: name of the party.
        entries: in order, with the keys of the file.
    """

    party: str
    entries: tuple[LedgerEntry, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields a table, or one line if the ledger is empty."""
        if not self.entries:
            yield f"party {self.party} has granted and released nothing"
            return
        titles = (
            *numbered("line"),
            *worded("time (UTC)", "event", "coordinator", "peers", "purpose", "run", "datasets"),
            *numbered("rows", "epochs"),
            *worded("codecs", "released", "spent", "result"),
        )
        yield from PrintedTable(columns=titles, rows=tuple(map(_cells, self.entries))).lines(columns)


@dataclass(frozen=True)
class VerifiedLedger:
    """A ledger whose lines follow each other.

    Attributes:
        party: name of the party.
        entries: number of lines.
        last_digest: digest of the last line, hexadecimal; None without one.
    """

    party: str
    entries: int
    last_digest: str | None

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields one line."""
        last = f", the last one {self.last_digest}" if self.last_digest else ""
        yield f"{counted(self.entries, 'line')}, each follows the one before{last}"


@dataclass(frozen=True)
class UsedLimits:
    """How much of each limit of the policy is used.

    Attributes:
        party: name of the party.
        limits: one for each.
    """

    party: str
    limits: tuple[LimitUse, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields a line for each limit."""
        for use in self.limits:
            used = f"{use.used:,.1f}" if isinstance(use.used, float) else count_text(use.used)
            yield f"{use.what}: {used} of {count_text(use.allowed)}"


def listed_ledger(path: Path) -> ListedLedger:
    """Reads all lines.

    Args:
        path: the party's YAML file.
    """
    configuration = load_party_configuration(path)
    return ListedLedger(configuration.party, tuple(_entries(configuration)))


def _entries(configuration: PartyConfiguration) -> list[LedgerEntry]:
    return read_ledger(configuration.path(configuration.state))


def _cells(entry: LedgerEntry) -> tuple[str, ...]:
    cells = (
        str(entry.sequence),
        entry.time[:19].replace("T", " "),
        entry.event + (" (resumed)" if entry.resume and entry.event != "started" else ""),
        entry.coordinator,
        ", ".join(entry.peers) + (f" (without {', '.join(entry.without)})" if entry.without else ""),
        entry.purpose,
        _run(entry),
        ", ".join(entry.datasets),
        count_text(entry.rows) if entry.rows else "",
        count_text(entry.epochs) if entry.epochs else "",
        ", ".join(f"{direction} {kind}" for direction, kind in entry.codecs.items()),
        ", ".join(f"{count:,} {kind}" for kind, count in entry.releases.items()),
        ", ".join(_spent(charge) for charge in entry.charges or ()),
        entry.result,
    )
    return tuple(printable(cell, SHOWN_CELL_CHARACTERS) for cell in cells)  # names that a coordinator chose


def _run(entry: LedgerEntry) -> str:
    shown = entry.run_id[:SHOWN_RUN_CHARACTERS]
    return f"{shown}, continues {entry.continues[:SHOWN_RUN_CHARACTERS]}" if entry.continues else shown


def _spent(charge: Charge) -> str:
    if charge.epsilon is None:
        return f"{charge.secret} exactly"
    return f"{charge.secret} epsilon {charge.epsilon}, generation {charge.generation}"


def verified_ledger(path: Path, known_digest: str | None) -> VerifiedLedger:
    """Verifies the chain, and that a line noted earlier is still in it.

    Args:
        path: the party's YAML file.
        known_digest: digest of a line, as noted earlier outside of the state folder; None skips this check.

    Returns:
        The number of lines, and the digest of the last one.

    Raises:
        StorageError: a line was altered, moved, added or removed.
    """
    configuration = load_party_configuration(path)
    entries = _entries(configuration)
    if known_digest is not None and known_digest not in {entry.digest for entry in entries}:
        raise StorageError(
            "the line with this digest is not in it",
            where="ledger",
            fix="the ledger was replaced as a whole after you noted the digest: find out who did it",
        )
    return VerifiedLedger(configuration.party, len(entries), entries[-1].digest if entries else None)


def used_limits(path: Path) -> UsedLimits:
    """Reads how much of each limit of the policy is used.

    Args:
        path: the party's YAML file.
    """
    configuration = load_party_configuration(path)
    return UsedLimits(configuration.party, tuple(limit_uses(configuration, _entries(configuration), utc_now())))
