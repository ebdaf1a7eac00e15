"""A process that grants as fast as it can, and says of each line once it is durable; for a test that kills it."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from party.ledger.entry import Content
from party.ledger.file import Ledger
from tests.support.forks import fork_on_demand, say


def write(_):
    """Begins with the ledger on disk."""
    ledger = Ledger(Path(sys.argv[1]), lambda: datetime(2026, 1, 2, tzinfo=UTC))
    while True:
        entry = ledger.append(Content(event="agreed", session=f"{len(ledger.entries):016x}"))
        say(entry.sequence, entry.digest)


if __name__ == "__main__":
    fork_on_demand(write)
