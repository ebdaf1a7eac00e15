"""Where the files of a dataset stand in the party's configuration, for errors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from party.errors import DataError


@dataclass(frozen=True)
class DataPlace:
    """A dataset, or table, of a party.

    Attributes:
        party: name of the party.
        dataset: name of the dataset or table.
        kind: `dataset` or `table`.
    """

    party: str
    dataset: str
    kind: str = "dataset"

    def where(self, name: str) -> str:
        """Party and file, for errors.

        Args:
            name: of the file.
        """
        return f"{self.party}: table {self.dataset}: {name}" if self.kind == "table" else f"{self.party}: {name}"

    def unreadable(
        self, what: str, name: str, *, tried: PurePath | str | None = None, expected: str = "", fix: str = ""
    ) -> DataError:
        """Makes the error for files that cannot be opened.

        Args:
            what: what happened.
            name: of the file.
            tried: path or address that was tried and is part of the text; it stays on this machine.
            expected: what would have been right.
            fix: what else to do or know, besides a look at the configuration.

        Returns:
            The error to raise.
        """
        check = f"check data.{self.kind}s.{self.dataset}"
        return DataError(
            what,
            where=self.where(name),
            expected=expected,
            fix=f"{check}; {fix}" if fix else check,
            public_message=f"the file of {self.kind} {self.dataset} cannot be read",
            path=tried,
        )
