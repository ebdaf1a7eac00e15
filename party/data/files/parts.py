"""Finds the files of a dataset: one, all of a folder, those whose names match a pattern, or a list of all these."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from party.configuration.data_files import LOCAL_SCHEME
from party.data.files.place import DataPlace
from party.data.files.storage import LocalPart, Part, RemotePart, not_found, remote_failure
from party.errors import DataError

MAXIMUM_PARTS = 10_000
_PATTERN = re.compile(r"[*?\[]")
_HIDDEN = (".", "_")  # as Spark and Hadoop name what is no data: _SUCCESS, _metadata, .part-0.crc

Entry = Path | str


def entry_name(entries: Sequence[Entry]) -> str:
    """The name of a dataset's files for readers: no folder, and no options of an address.

    Args:
        entries: paths of this machine, and addresses.
    """
    first = entries[0]
    name = first.name if isinstance(first, Path) else PurePosixPath(unquote(urlsplit(first).path)).name
    name = name or (str(first) if isinstance(first, Path) else urlsplit(first).hostname or first.partition(":")[0])
    return f"{name} and {len(entries) - 1} more" if len(entries) > 1 else name


def find_parts(entries: Sequence[Entry], place: DataPlace) -> tuple[Part, ...]:
    """Finds all files of a dataset.

    Args:
        entries: paths of this machine, and addresses of other machines' storage; folders and patterns among them.
        place: the dataset, for errors.

    Returns:
        The files: entry by entry, those of a folder or pattern ascending by path.

    Raises:
        DataError: there are none for an entry, too many, or one of them twice.
    """
    parts = [part for entry in entries for part in _of_entry(entry, place)]
    if len(parts) > MAXIMUM_PARTS:
        raise place.unreadable(
            "has too many files",
            entry_name(entries),
            expected=f"at most {MAXIMUM_PARTS:,}",
            fix="write fewer and larger",
        )
    twice = sum(count > 1 for count in Counter(part.identity for part in parts).values())
    if twice:
        raise place.unreadable(f"{twice} files are named twice", entry_name(entries), expected="each file once")
    return tuple(parts)


def _of_entry(entry: Entry, place: DataPlace) -> Sequence[Part]:
    if isinstance(entry, Path):
        return _local_parts(entry, place)
    if urlsplit(entry).scheme == LOCAL_SCHEME:
        return _local_parts(Path(unquote(urlsplit(entry).path)), place)
    try:
        return _remote_parts(entry, place)
    except (pa.ArrowException, OSError) as error:
        raise remote_failure(error, entry_name([entry]), place) from None


def _local_parts(path: Path, place: DataPlace) -> Sequence[Part]:
    if _PATTERN.search(str(path)) and not path.exists():
        # A folder may have signs of patterns in its name, as a file may.
        fixed = next(number for number in range(len(path.parts)) if not Path(*path.parts[: number + 1]).exists())
        try:
            candidates = Path(*path.parts[:fixed]).glob("/".join(path.parts[fixed:]))
            found = sorted(one for one in candidates if _fits(one.parts[fixed:], path.parts[fixed:]))
        except OSError as error:
            raise place.unreadable(f"cannot be read ({error.__class__.__name__})", path.name) from error
        if not found:
            raise place.unreadable("no file matches", path.name, tried=path, expected=str(path))
        return [part for one in found for part in (_of_folder(one, place) if one.is_dir() else [_local(one)])]
    return _of_folder(path, place) if path.is_dir() else [LocalPart(path.name, path)]


def _local(path: Path) -> LocalPart:
    return LocalPart(f"{path.parent.name}/{path.name}", path)


def _of_folder(folder: Path, place: DataPlace) -> list[LocalPart]:
    try:
        found = sorted(one for one in folder.iterdir() if not one.name.startswith(_HIDDEN))
    except OSError as error:
        raise place.unreadable(f"cannot be read ({error.__class__.__name__})", folder.name) from error
    _check_folder(folder.name, len(found), any(one.is_dir() for one in found), place)
    return [_local(one) for one in found]


def _check_folder(name: str, files: int, has_folders: bool, place: DataPlace) -> None:
    if not files:
        raise _without_files(name, place)
    if has_folders:
        raise place.unreadable(
            "is a folder with folders in it",
            name,
            expected="a CSV or Parquet file, or a folder with nothing but parts of one",
            fix=f"name the files by a pattern such as {name}/*/*.csv",
        )


def _without_files(name: str, place: DataPlace) -> DataError:
    return place.unreadable(
        "is a folder without files", name, expected="a CSV or Parquet file, or a folder with parts of one"
    )


def _remote_parts(address: str, place: DataPlace) -> Sequence[Part]:
    name, shown = entry_name([address]), address.partition("?")[0]
    filesystem, path = fs.FileSystem.from_uri(_escaped(address))
    path = path.rstrip("/")
    information = filesystem.get_file_info(path)
    if information.type == fs.FileType.File:
        return [RemotePart(name, filesystem, path)]
    if information.type == fs.FileType.Directory:
        return _of_remote_folder(filesystem, path, place)
    if not _PATTERN.search(path):
        raise not_found(name, shown, place)
    found = [_remote(filesystem, one) for one in sorted(_matches(filesystem, path))]
    if not found:
        raise place.unreadable("no file matches", name, tried=shown, expected=shown)
    return found


def _escaped(address: str) -> str:
    """The address with the brackets of a pattern as a URI may hold them."""
    path, mark, options = address.partition("?")
    return path.replace("[", "%5B").replace("]", "%5D") + mark + options


def _remote(filesystem: fs.FileSystem, path: str) -> RemotePart:
    return RemotePart("/".join(PurePosixPath(path).parts[-2:]), filesystem, path)


def _of_remote_folder(filesystem: fs.FileSystem, folder: str, place: DataPlace) -> list[RemotePart]:
    found = [one for one in filesystem.get_file_info(fs.FileSelector(folder)) if not one.base_name.startswith(_HIDDEN)]
    has_folders = any(one.type == fs.FileType.Directory for one in found)
    _check_folder(PurePosixPath(folder).name, len(found), has_folders, place)
    return [_remote(filesystem, path) for path in sorted(one.path for one in found)]


def _matches(filesystem: fs.FileSystem, pattern: str) -> Iterator[str]:
    """The files that match, as on this machine: `*` stays within a name, `**` does not."""
    parts = PurePosixPath(pattern).parts
    fixed = _fixed_parts(parts)
    base = "/".join(parts[:fixed])
    recursive = len(parts) - fixed > 1 or "**" in parts[fixed:]
    listed = filesystem.get_file_info(fs.FileSelector(base, allow_not_found=True, recursive=recursive))
    for one in listed:
        if one.type == fs.FileType.File and _fits(PurePosixPath(one.path).parts, parts):
            yield one.path


def _fixed_parts(pattern: Sequence[str]) -> int:
    """Number of folders before the first of which there can be several."""
    return next(number for number, part in enumerate(pattern) if _PATTERN.search(part))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches part by part; hidden files and folders only by a pattern that begins as they do."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        visible = next((number for number, part in enumerate(parts) if part.startswith(_HIDDEN)), len(parts))
        return any(_fits(parts[skipped:], pattern[1:]) for skipped in range(visible + 1))
    if not parts or not fnmatch.fnmatchcase(parts[0], pattern[0]):
        return False
    is_hidden = parts[0].startswith(_HIDDEN) and parts[0][0] != pattern[0][0]
    return not is_hidden and _fits(parts[1:], pattern[1:])
