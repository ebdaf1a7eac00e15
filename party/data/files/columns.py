"""The columns that every data file must have, whatever its format."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from party.data.files.limits import check_columns
from party.errors import DataError

SHOWN_COLUMNS = 8  # of a list in an error
LABELS_KEY = "data.labels"
WITHOUT_LABELS = "name a dataset without labels in data.unlabelled"
COMPARED_CHARACTERS = 64  # a longer name is no misspelling, and slow to compare
FEWEST_FOUND = 2  # columns of a line that may be one of names
MOST_MISSING_SHARE = 0.2  # of the needed columns, in a line that is surely one of names

_NUMBER = re.compile(r"[+-]?[\d.,:/\s-]*\d[\d.,:/\sTZeE+-]*[%€$]?")
_BETWEEN_WORDS = re.compile(r"[\s_.-]+")


@dataclass(frozen=True)
class FoundColumns:
    """Where a file has the columns that are needed.

    Attributes:
        places: place of each needed column among all of the file, from 0.
        notes: what is odd about the names, in sentences without any of them.
    """

    places: Mapping[str, int]
    notes: tuple[str, ...]


def check_names(
    header: Sequence[str],
    needed: Mapping[str, str],
    where: str,
    *,
    are_names: bool = False,
    cause: Callable[[], str] | None = None,
) -> FoundColumns:
    """Refuses a file that lacks a column, names a needed one twice or has too many.

    Args:
        header: names of all columns.
        needed: names of those that are read, each with the key of the configuration that names it.
        where: party and file, for errors.
        are_names: whether the format says that they are names. The first line of a CSV file may be a row of data.
        cause: finds what to do about missing columns, by what the file looks like; empty if it looks like nothing.

    Returns:
        The needed columns. Blanks around a name do not count where there is none without them.

    Raises:
        DataError: a column is missing or named twice, or there are too many.
    """
    check_columns(len(header), where)
    exact, bare = _by_name(header), _by_name([name.strip() for name in header])
    places = {name: exact.get(name) or bare.get(name.strip(), []) for name in needed}
    missing = [name for name, found in places.items() if not found]
    if missing:
        raise _missing_columns(header, needed, missing, where, are_names=are_names, cause=cause)
    twice = [name for name, found in places.items() if len(found) > 1]
    if twice:
        raise DataError(
            f"columns named twice: {_listed(twice)}",
            where=where,
            expected="each name once in the header line",
            public_message="a file of its data names columns twice",
        )
    return FoundColumns({name: place for name, (place,) in places.items()}, _notes(exact, bare, needed))


def looks_like_data(name: str) -> bool:
    """Whether a name of a column is rather a cell: a number, a date, an address of mail, or nothing.

    Args:
        name: as the first line of a file has it.
    """
    bare = name.strip()
    return not bare or "@" in bare or _NUMBER.fullmatch(bare[:COMPARED_CHARACTERS]) is not None


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


def _by_name(header: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(header):
        places.setdefault(name, []).append(place)
    return places


def _notes(
    exact: Mapping[str, Sequence[int]], bare: Mapping[str, Sequence[int]], needed: Mapping[str, str]
) -> tuple[str, ...]:
    stripped = sum(name not in exact for name in needed)
    unnamed = len(bare.get("", ()))
    doubled = sum(len(places) for name, places in exact.items() if len(places) > 1 and name.strip())
    counts = {
        f"{stripped} columns are named with blanks around, which do not count": stripped,
        f"{unnamed} columns have no name, and are not read": unnamed,
        f"{doubled} columns share a name with another, and are not read": doubled,
    }
    return tuple(note for note, count in counts.items() if count)


def _missing_columns(
    header: Sequence[str],
    needed: Mapping[str, str],
    missing: Sequence[str],
    where: str,
    *,
    are_names: bool,
    cause: Callable[[], str] | None,
) -> DataError:
    """Repeats no name of the file, but for one that a missing name is surely meant by.

    The first line of a file may be a row of data, even if a cell of it happens to equal a name.
    """
    found, public_message = (
        len(needed) - len(missing),
        f"a file of its data lacks {len(missing)} of {len(needed)} columns",
    )
    fix = cause() if cause is not None else ""
    received = f"{len(header)} columns" if are_names else f"{len(header)} fields in the first line"
    if 2 * len(missing) > len(needed) and not are_names:
        few = "none" if not found else f"only {found}"
        return DataError(
            f"first line names {few} of the {len(needed)} columns; missing are {_hinted(missing, header, near=False)}",
            where=where,
            received=received,
            fix=fix or "the first line must hold the columns' names, separated as data.csv.separator says",
            public_message=public_message,
        )
    few_missing = len(missing) == 1 or len(missing) <= MOST_MISSING_SHARE * len(needed)
    is_header = found >= FEWEST_FOUND and few_missing and not any(map(looks_like_data, header))
    return DataError(
        f"columns missing: {_hinted(missing, header, near=are_names or is_header)}",
        where=where,
        received=received,
        fix=f"{fix}, or {_check(needed, missing)}" if fix else _check(needed, missing),
        public_message=public_message,
    )


def _check(needed: Mapping[str, str], missing: Sequence[str]) -> str:
    """Names the keys of the party's file that name missing columns."""
    *first, last = keys = tuple(dict.fromkeys(needed[name] for name in missing))
    advice = f"; {WITHOUT_LABELS}" if LABELS_KEY in keys else ""
    return f"check {', '.join(first)} and {last}{advice}" if first else f"check {last}{advice}"


def _hinted(missing: Sequence[str], header: Sequence[str], *, near: bool) -> str:
    """The missing names with what they are probably called.

    A name that differs in upper case, blanks, dots and dashes alone tells nothing that the configuration does not.
    Others that are near are shown only if the line is surely one of names.
    """
    candidates = [name for name in header if len(name) <= COMPARED_CHARACTERS]
    spellings = {_spelling(name): name for name in candidates}
    shown = []
    for name in missing[:SHOWN_COLUMNS]:
        hint = spellings.get(_spelling(name)) if _spelling(name) else None
        if hint is None and near:
            hint = next(iter(difflib.get_close_matches(name[:COMPARED_CHARACTERS], candidates, n=1)), None)
        shown.append(f"{name} (did you mean {hint.strip()}?)" if hint is not None else name)
    return _listed(shown, len(missing))


def _spelling(name: str) -> str:
    return _BETWEEN_WORDS.sub("", name.casefold())


def _listed(names: Sequence[str], count: int | None = None) -> str:
    """The first names of a list, and how many there are besides."""
    further = (len(names) if count is None else count) - SHOWN_COLUMNS
    shown = ", ".join(name[: 2 * COMPARED_CHARACTERS] for name in names[:SHOWN_COLUMNS])
    return f"{shown} and {further} more" if further > 0 else shown
