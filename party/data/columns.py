"""What every file of a party must have, whatever its format."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from party.errors import DataError


def check_names(header: Sequence[str], needed: Sequence[str], where: str) -> None:
    """Refuses a file that lacks a column, or names one twice.

    Args:
        header: names of all columns.
        needed: names of those that are read.
        where: party and file, for errors.

    Raises:
        DataError: a column is missing or named twice.
    """
    missing = [name for name in needed if name not in header]
    if missing:
        raise _missing_columns(header, needed, missing, where)
    # Twice among the columns that nobody needs is harmless, but says that the file is not what its owner thinks.
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if twice:
        names = ", ".join(twice)
        raise DataError(f"columns named twice: {names}", where=where, expected="each name once in the header line")


def _missing_columns(header: Sequence[str], needed: Sequence[str], missing: Sequence[str], where: str) -> DataError:
    nearest = {name: difflib.get_close_matches(name, header, n=1) for name in missing}
    named = ", ".join(f"{name} (did you mean {near[0]}?)" if near else name for name, near in nearest.items())
    if len(missing) == len(needed) and not any(nearest.values()):
        # Such a first line may well be a row of data, which an error must not repeat.
        return DataError(
            f"first line names none of the columns {named}",
            where=where,
            received=f"{len(header)} fields in the first line",
            fix="the first line must hold the columns' names, separated by commas",
        )
    return DataError(
        f"columns missing: {named}", where=where, received=f"columns {', '.join(header)}", fix="check data.features"
    )


def no_rows(what: str, where: str) -> DataError:
    """The error of a file without rows."""
    return DataError(what, where=where, expected="a header line and at least one row")
