"""A process that grants as fast as it can, and says of each line once it is durable; for a test that kills it."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from party.ledger.entry import Content
from party.ledger.file import Ledger

ledger = Ledger(Path(sys.argv[1]), lambda: datetime(2026, 1, 2, tzinfo=UTC))
while True:
    entry = ledger.append(Content(event="agreed", session=f"{len(ledger.entries):016x}"))
    sys.stdout.write(f"{entry.sequence} {entry.digest}\n")
    sys.stdout.flush()
