"""What the examinations of one party look at, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from party.check import passing_tables
from party.configuration.party import PartyConfiguration
from party.data.summary import summarise
from party.diagnosis.machine import Machine
from party.errors import SplitError
from party.ledger.entry import LedgerEntry
from party.ledger.file import read_ledger
from party.runtime.tables import Tables


@dataclass(frozen=True)
class PartySubject:
    """A party on its machine.

    Attributes:
        path: the party's YAML file.
        configuration: what stands in it, with every column found.
        machine: readings of the machine.
    """

    path: Path
    configuration: PartyConfiguration
    machine: Machine

    @property
    def state(self) -> Path:
        """The party's state folder, which need not exist."""
        return self.configuration.path(self.configuration.state)

    @cached_property
    def ledger(self) -> Sequence[LedgerEntry]:
        """The lines of the party's ledger; none before its first start."""
        return read_ledger(self.state) if self.state.is_dir() else ()

    @cached_property
    def tables(self) -> Tables:
        """The party's datasets or tables."""
        return passing_tables(self.configuration)

    @cached_property
    def problems(self) -> Mapping[str, list[SplitError]]:
        """What keeps each dataset or table from being used; an empty list where nothing does."""
        return {name: self.tables.problems(name) for name in self.tables.names}

    @property
    def usable(self) -> tuple[str, ...]:
        """Names of the datasets or tables that can be used."""
        return tuple(name for name, found in self.problems.items() if not found)

    @cached_property
    def embedding_rows(self) -> int:
        """Embedding rows of the base model, if it were trained on its largest dataset."""
        data = self.configuration.data
        summaries = (summarise(self.configuration.party, data, self.tables.table(name)) for name in self.usable)
        return max((sum(column.size for column in one.columns) for one in summaries), default=0)
