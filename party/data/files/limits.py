"""Limits on the size of a dataset's files, checked before or while they are decoded."""

from __future__ import annotations

from dataclasses import dataclass

from party.configuration.data_files import DEFAULT_MAXIMUM_BYTES, DEFAULT_MAXIMUM_ROWS
from party.errors import DataError

MAXIMUM_COLUMNS = 16_384


@dataclass(frozen=True)
class FileLimits:
    """The largest dataset that the owner allows, in one file or several.

    Attributes:
        rows: most rows.
        bytes: most bytes of the files, and of what they unfold to: CSV's text, the columns that are read of Parquet.
    """

    rows: int = DEFAULT_MAXIMUM_ROWS
    bytes: int = DEFAULT_MAXIMUM_BYTES

    def check_rows(self, rows: int, where: str) -> None:
        """Refuses a file with too many rows.

        Args:
            rows: number that the file states, or that were read so far.
            where: party and file, for errors.

        Raises:
            DataError: there are too many.
        """
        if rows > self.rows:
            raise DataError(
                "has too many rows",
                where=where,
                expected=f"at most {self.rows:,} (data.maximum_rows)",
                fix="raise data.maximum_rows if the machine's memory allows it",
                public_message="a file of its data has too many rows",
            )

    def check_bytes(self, size: int, where: str) -> None:
        """Refuses a file with too many bytes.

        Args:
            size: size of the file, or of the columns decoded so far, in bytes.
            where: party and file, for errors.

        Raises:
            DataError: there are too many.
        """
        if size > self.bytes:
            raise DataError(
                "is too large",
                where=where,
                expected=f"at most {self.bytes:,} bytes (data.maximum_bytes)",
                received="more, as it is stored or once it is unfolded",
                fix="raise data.maximum_bytes if the machine's memory allows it",
                public_message="a file of its data is too large",
            )


class Allowance:
    """What was read of the files of one dataset, held against the limits all the while.

    Args:
        limits: the owner's limits.
    """

    def __init__(self, limits: FileLimits) -> None:
        self.limits = limits
        self.rows = 0
        self.unfolded_bytes = 0
        self._stored_bytes = 0

    def add_rows(self, rows: int, where: str) -> None:
        """Counts rows that were read; raises a DataError if there are too many by now."""
        self.rows += rows
        self.limits.check_rows(self.rows, where)

    def add_stored(self, size: int, where: str) -> None:
        """Counts bytes of files as they are stored; raises a DataError if there are too many by now."""
        self._stored_bytes += size
        self.limits.check_bytes(self._stored_bytes, where)

    def add_unfolded(self, size: int, where: str) -> None:
        """Counts bytes that files unfolded to; raises a DataError if there are too many by now."""
        self.unfolded_bytes += size
        self.limits.check_bytes(self.unfolded_bytes, where)


def check_columns(columns: int, where: str) -> None:
    """Refuses a file with too many columns.

    Args:
        columns: number of columns of the file, those that are not read included.
        where: party and file, for errors.

    Raises:
        DataError: they are more than MAXIMUM_COLUMNS.
    """
    if columns > MAXIMUM_COLUMNS:
        raise DataError(
            "has too many columns",
            where=where,
            expected=f"at most {MAXIMUM_COLUMNS:,}",
            received=f"{columns:,}",
            fix="leave out the columns that are not needed",
            public_message="a file of its data has too many columns",
        )
