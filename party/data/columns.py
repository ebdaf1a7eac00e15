"""The columns that every data file must have, whatever its format."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence

from party.data.limits import check_columns
from party.errors import DataError

SHOWN_COLUMNS = 8  # of a list in an error
LABELS_KEY = "data.labels"
WITHOUT_LABELS = "name a dataset without labels in data.unlabelled"
COMPARED_CHARACTERS = 64  # a longer name is no misspelling, and slow to compare


def check_names(header: Sequence[str], needed: Mapping[str, str], where: str) -> None:
    """Refuses a file that lacks a column, names one twice or has too many.

    Args:
        header: names of all columns.
        needed: names of those that are read, each with the key of the configuration that names it.
        where: party and file, for errors.

    Raises:
        DataError: a column is missing or named twice, or there are too many.
    """
    check_columns(len(header), where)
    counts = Counter(header)
    missing = [name for name in needed if name not in counts]
    if missing:
        raise _missing_columns(header, needed, missing, where)
    # Twice among the columns that nobody needs is harmless, but says that the file is not what its owner thinks.
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DataError(
            f"columns named twice: {_listed(twice)}",
            where=where,
            expected="each name once in the header line",
            public_message="a file of its data names columns twice",
        )


def _missing_columns(header: Sequence[str], needed: Mapping[str, str], missing: Sequence[str], where: str) -> DataError:
    public_message = f"a file of its data lacks {len(missing)} of {len(needed)} columns"
    if 2 * len(missing) > len(needed):
        # Such a first line may well be a row of data, which an error must not repeat, not even in part.
        few = "none" if len(missing) == len(needed) else f"only {len(needed) - len(missing)}"
        return DataError(
            f"first line names {few} of the {len(needed)} columns; missing are {_listed(missing)}",
            where=where,
            received=f"{len(header)} fields in the first line",
            fix="the first line must hold the columns' names, separated by commas",
            public_message=public_message,
        )
    candidates = [name for name in header if len(name) <= COMPARED_CHARACTERS]
    named = [_with_nearest(name, candidates) for name in missing[:SHOWN_COLUMNS]]
    return DataError(
        f"columns missing: {_listed(named, len(missing))}",
        where=where,
        received=f"columns {_listed(header)}",
        fix=f"check {_keys(needed, missing)}" + _advice_on_labels(needed, missing),
        public_message=public_message,
    )


def _keys(needed: Mapping[str, str], missing: Sequence[str]) -> str:
    """The keys of the party's file that name missing columns."""
    *first, last = dict.fromkeys(needed[name] for name in missing)
    return f"{', '.join(first)} and {last}" if first else last


def _advice_on_labels(needed: Mapping[str, str], missing: Sequence[str]) -> str:
    return f"; {WITHOUT_LABELS}" if any(needed[name] == LABELS_KEY for name in missing) else ""


def _with_nearest(name: str, candidates: Sequence[str]) -> str:
    near = difflib.get_close_matches(name[:COMPARED_CHARACTERS], candidates, n=1)
    return f"{name} (did you mean {near[0]}?)" if near else name


def _listed(names: Sequence[str], count: int | None = None) -> str:
    """The first names of a list, and how many there are besides."""
    further = (len(names) if count is None else count) - SHOWN_COLUMNS
    shown = ", ".join(name[: 2 * COMPARED_CHARACTERS] for name in names[:SHOWN_COLUMNS])
    return f"{shown} and {further} more" if further > 0 else shown


def no_rows(what: str, where: str) -> DataError:
    """Makes the error for a file without rows.

    Args:
        what: what is wrong with the file.
        where: party and file.

    Returns:
        The error to raise.
    """
    return DataError(
        what,
        where=where,
        expected="a header line and at least one row",
        public_message="a file of its data has no rows",
    )
